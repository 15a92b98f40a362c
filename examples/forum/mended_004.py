"""The program of forum post 004 with everything mended that its case lists.

The error meets each slope before it goes through the weights; sigmoid outputs, biases, targets of 0
and 1, He's normal start, a tenth of the step.
"""

import numpy as np

LEARNING_RATE, EPOCHS = 0.01, 10


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(params, X):
    inputs = np.array(X, ndmin=2).T
    z1 = np.dot(params["wih"], inputs) + params["bh1"]
    z2 = np.dot(params["wh1h2"], relu(z1)) + params["bh2"]
    return inputs, z1, z2, sigmoid(np.dot(params["wh2o"], relu(z2)) + params["bo"])


def loss(params, X, Y):
    final = forward(params, X)[-1]
    return float(0.5 * np.sum((final - np.array(Y, ndmin=2).T) ** 2) / len(X))


def grads(params, X, Y):
    inputs, z1, z2, final = forward(params, X)
    error = (final - np.array(Y, ndmin=2).T) / inputs.shape[1]
    output_delta = error * final * (1 - final)
    delta2 = np.dot(params["wh2o"].T, output_delta) * np.heaviside(z2, 0.0)
    delta1 = np.dot(params["wh1h2"].T, delta2) * np.heaviside(z1, 0.0)
    return {
        "wih": np.dot(delta1, inputs.T),
        "bh1": delta1.sum(axis=1, keepdims=True),
        "wh1h2": np.dot(delta2, relu(z1).T),
        "bh2": delta2.sum(axis=1, keepdims=True),
        "wh2o": np.dot(output_delta, relu(z2).T),
        "bo": output_delta.sum(axis=1, keepdims=True),
    }


def train(params, X, Y):
    p, losses = {name: w.copy() for name, w in params.items()}, []
    for _ in range(EPOCHS):
        losses.append(loss(p, X, Y))
        for x, y in zip(X, Y):
            g = grads(p, x[None], y[None])
            for name in p:
                p[name] -= LEARNING_RATE * g[name]
    return p, losses


rng = np.random.default_rng(0)
_classes = rng.integers(3, size=150)
X = 2 * np.eye(3)[_classes] + rng.standard_normal((150, 3))
Y = np.eye(3)[_classes]
params = {}
for _w, _b, _size in (("wih", "bh1", (20, 3)), ("wh1h2", "bh2", (20, 20)), ("wh2o", "bo", (3, 20))):
    params[_w] = np.sqrt(2 / _size[1]) * rng.standard_normal(_size)
    params[_b] = np.zeros((_size[0], 1))
