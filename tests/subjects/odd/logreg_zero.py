# kind: healthy
# words: 
import numpy as np

rng = np.random.RandomState(2)
X = rng.randn(50, 3)
Y = (X[:, :1] > 0) * 1.0
params = dict(w=np.zeros((3, 1)), b=np.zeros(1))


def out(p, X):
    return 1 / (1 + np.exp(-(X @ p["w"] + p["b"])))


def loss(p, X, Y):
    o = out(p, X)
    return float(-np.mean(Y * np.log(o) + (1 - Y) * np.log(1 - o)))


def grads(p, X, Y):
    d = (out(p, X) - Y) / len(X)
    return dict(w=X.T @ d, b=d.sum(0))


def train(p, X, Y, steps=200, lr=0.5):
    p = {k: v.copy() for k, v in p.items()}
    curve = []
    for _ in range(steps):
        curve.append(loss(p, X, Y))
        g = grads(p, X, Y)
        for k in p:
            p[k] -= lr * g[k]
    return p, curve
