"""The program of forum post 002 with everything mended that its case lists.

DA4 has its sign and parentheses, the sigmoid output its own slope, and 1 - x^2 is given A; Glorot's
uniform start; a step of 0.5.
"""

import numpy as np

LEARNING_RATE, STEPS = 0.5, 1000


def sigmoid_activation(x):
    return 1 / (1 + np.exp(-x))


def tanh_activation(x):
    return np.tanh(x)


def derivative_tanh(x):
    return 1 - np.power(x, 2)


def forward(p, X):
    c = {"A0": X}
    for k in (1, 2, 3, 4):
        c[f"Z{k}"] = np.dot(p[f"W{k}"], c[f"A{k - 1}"]) + p[f"B{k}"]
        unit = tanh_activation if k < 4 else sigmoid_activation
        c[f"A{k}"] = unit(c[f"Z{k}"])
    return c


def backward(p, c, Y):
    samples, g = Y.shape[1], {}
    A4 = c["A4"]
    DA4 = -(Y / A4 - (1 - Y) / (1 - A4))
    DZ4 = DA4 * A4 * (1 - A4)
    g["W4"] = np.dot(DZ4, c["A3"].T) / samples
    g["B4"] = np.sum(DZ4, axis=1, keepdims=True) / samples
    DA3 = np.dot(p["W4"].T, DZ4)

    DZ3 = DA3 * derivative_tanh(c["A3"])
    g["W3"] = np.dot(DZ3, c["A2"].T) / samples
    g["B3"] = np.sum(DZ3, axis=1, keepdims=True) / samples
    DA2 = np.dot(p["W3"].T, DZ3)

    DZ2 = DA2 * derivative_tanh(c["A2"])
    g["W2"] = np.dot(DZ2, c["A1"].T) / samples
    g["B2"] = np.sum(DZ2, axis=1, keepdims=True) / samples
    DA1 = np.dot(p["W2"].T, DZ2)

    DZ1 = DA1 * derivative_tanh(c["A1"])
    g["W1"] = np.dot(DZ1, c["A0"].T) / samples
    g["B1"] = np.sum(DZ1, axis=1, keepdims=True) / samples
    return g


def loss(params, X, Y):
    A4 = forward(params, X)["A4"]
    return float(-np.mean(Y * np.log(A4) + (1 - Y) * np.log(1 - A4)))


def grads(params, X, Y):
    return backward(params, forward(params, X), Y)


def train(params, X, Y):
    p, losses = dict(params), []
    for _ in range(STEPS):
        losses.append(loss(p, X, Y))
        g = grads(p, X, Y)
        p = {name: p[name] - LEARNING_RATE * g[name] for name in p}
    return p, losses


rng = np.random.default_rng(0)
X = rng.standard_normal((2, 100))
Y = (X[:1] * X[1:] > 0).astype(float)
params = {}
for _k, (_out, _in) in enumerate(((8, 2), (8, 8), (8, 8), (1, 8)), start=1):
    params[f"W{_k}"] = np.sqrt(6 / (_out + _in)) * rng.uniform(-1, 1, (_out, _in))
    params[f"B{_k}"] = np.zeros((_out, 1))
