"""The program of forum post 000 (conf/case/000.yaml): ReLU in place of tanh, "no longer works".

As posted: both hidden layers of ten units, the backward pass with relu_deriv, which writes into its
argument and is given A. Not shown, and filled in here: the forward pass (ReLU, and a sigmoid output,
to which `A3 - y` belongs), the loss (cross-entropy), the start (0.01 times a normal draw, zero
biases) and the step (1.2), both as in the course whose notation the post uses, and the data.
"""

import numpy as np

LEARNING_RATE, STEPS = 1.2, 500


def relu(Z):
    return np.maximum(0, Z)


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def relu_deriv(z):
    z[z > 0] = 1
    z[z <= 0] = 0
    return z


def forward_prop(X, p):
    c = {}
    c["Z1"] = np.dot(p["W1"], X) + p["b1"]
    c["A1"] = relu(c["Z1"])
    c["Z2"] = np.dot(p["W2"], c["A1"]) + p["b2"]
    c["A2"] = relu(c["Z2"])
    c["Z3"] = np.dot(p["W3"], c["A2"]) + p["b3"]
    c["A3"] = sigmoid(c["Z3"])
    return c


def backward_prop(X, y, c, p):
    m = X.shape[1]
    dZ3 = c["A3"] - y
    dW3 = 1 / m * np.dot(dZ3, c["A2"].T)
    db3 = 1 / m * np.sum(dZ3, axis=1, keepdims=True)
    dZ2 = np.dot(p["W3"].T, dZ3) * relu_deriv(c["A2"])
    dW2 = 1 / m * np.dot(dZ2, c["A1"].T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(p["W2"].T, dZ2) * relu_deriv(c["A1"])
    dW1 = 1 / m * np.dot(dZ1, X.T)
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}


def loss(params, X, Y):
    Z3 = forward_prop(X, params)["Z3"]
    return float(np.mean(np.logaddexp(0, Z3) - Y * Z3))


def grads(params, X, Y):
    return backward_prop(X, Y, forward_prop(X, params), params)


def train(params, X, Y):
    p, losses = dict(params), []
    for _ in range(STEPS):
        losses.append(loss(p, X, Y))
        g = grads(p, X, Y)
        p = {name: p[name] - LEARNING_RATE * g[name] for name in p}
    return p, losses


rng = np.random.default_rng(0)
X = rng.standard_normal((2, 200))
Y = (X[:1] * X[1:] > 0).astype(float)
params = {
    name + str(k): 0.01 * rng.standard_normal(size) if name == "W" else np.zeros((size[0], 1))
    for k, size in ((1, (10, 2)), (2, (10, 10)), (3, (1, 10)))
    for name in ("W", "b")
}
