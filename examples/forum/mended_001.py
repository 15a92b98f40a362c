"""The program in forum post 001 with everything mended that its case lists, needed or not.

Biases, a leaky ReLU with slope 0.01 at 0 as below, five times the steps.
"""

import numpy as np

LEARNING_RATE, STEPS, LEAK = 0.002, 1000, 0.01


def forward(params, X):
    h = X.dot(params["w1"]) + params["b1"]
    h_relu = np.maximum(h, LEAK * h)
    return h, h_relu, h_relu.dot(params["w2"]) + params["b2"]


def loss(params, X, Y):
    return float(np.square(forward(params, X)[2] - Y).sum())


def grads(params, X, Y):
    h, h_relu, y_pred = forward(params, X)
    grad_y_pred = 2.0 * (y_pred - Y)
    grad_h = grad_y_pred.dot(params["w2"].T).copy()
    grad_h[h <= 0] *= LEAK
    return {
        "w1": X.T.dot(grad_h),
        "b1": grad_h.sum(axis=0),
        "w2": h_relu.T.dot(grad_y_pred),
        "b2": grad_y_pred.sum(axis=0),
    }


def train(params, X, Y):
    p, losses = {name: w.copy() for name, w in params.items()}, []
    for _ in range(STEPS):
        losses.append(loss(p, X, Y))
        g = grads(p, X, Y)
        for name in p:
            p[name] -= LEARNING_RATE * g[name]
    return p, losses


rng = np.random.default_rng(0)
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
params = {
    "w1": rng.standard_normal((2, 30)),
    "b1": np.zeros(30),
    "w2": rng.standard_normal((30, 1)),
    "b2": np.zeros(1),
}
