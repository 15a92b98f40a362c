"""The complete program in one answer to forum post 001 (conf/case/001.yaml): xor with one ReLU layer.

As posted: 30 hidden units, no biases, standard normal weights, the sum of squares with its factor 2,
`grad[h < 0] = 0`, a step of 0.002, 200 steps. Nothing is filled in.
"""

import numpy as np

LEARNING_RATE, STEPS = 0.002, 200


def forward(params, X):
    h = X.dot(params["w1"])
    h_relu = np.maximum(h, 0)
    return h, h_relu, h_relu.dot(params["w2"])


def loss(params, X, Y):
    return float(np.square(forward(params, X)[2] - Y).sum())


def grads(params, X, Y):
    h, h_relu, y_pred = forward(params, X)
    grad_y_pred = 2.0 * (y_pred - Y)
    grad_w2 = h_relu.T.dot(grad_y_pred)
    grad_h = grad_y_pred.dot(params["w2"].T).copy()
    grad_h[h < 0] = 0
    return {"w1": X.T.dot(grad_h), "w2": grad_w2}


def train(params, X, Y):
    p, losses = {name: w.copy() for name, w in params.items()}, []
    for _ in range(STEPS):
        losses.append(loss(p, X, Y))
        g = grads(p, X, Y)
        p["w1"] -= LEARNING_RATE * g["w1"]
        p["w2"] -= LEARNING_RATE * g["w2"]
    return p, losses


rng = np.random.default_rng(0)
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
params = {"w1": rng.standard_normal((2, 30)), "w2": rng.standard_normal((30, 1))}
