# kind: training
# words: shared_parameter_array
import numpy as np

rng = np.random.RandomState(8)
X = rng.randn(60, 2)
Y = ((X ** 2).sum(1, keepdims=True) > 1.4).astype(float)
sizes = [2, 8, 8, 1]
params = {}
for i in range(3):
    params["W%d" % i] = rng.randn(sizes[i], sizes[i + 1]) / np.sqrt(sizes[i])
    params["b%d" % i] = np.zeros(sizes[i + 1])
params["W1"] = rng.randn(8, 8) / np.sqrt(8)
params["b1"] = params["b0"]


def forward(p, X):
    a1 = np.tanh(X @ p["W0"] + p["b0"])
    a2 = np.tanh(a1 @ p["W1"] + p["b1"])
    return a1, a2, 1 / (1 + np.exp(-(a2 @ p["W2"] + p["b2"])))


def loss(params, X, Y):
    o = forward(params, X)[2]
    return float(-np.mean(Y * np.log(o) + (1 - Y) * np.log(1 - o)))


def grads(params, X, Y):
    a1, a2, o = forward(params, X)
    d3 = (o - Y) / len(X)
    d2 = d3 @ params["W2"].T * (1 - a2 ** 2)
    d1 = d2 @ params["W1"].T * (1 - a1 ** 2)
    return {"W2": a2.T @ d3, "b2": d3.sum(0), "W1": a1.T @ d2, "b1": d2.sum(0),
            "W0": X.T @ d1, "b0": d1.sum(0)}


def train(params, X, Y, steps=800, lr=1.0):
    p = params
    losses = []
    for _ in range(steps):
        losses.append(loss(p, X, Y))
        g = grads(p, X, Y)
        for k in p:
            p[k] -= lr * g[k]
    return p, losses
