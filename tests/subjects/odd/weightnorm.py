# kind: healthy
# words: 
import numpy as np
g0 = np.random.default_rng(8)
A = g0.normal(size=(50, 4)); t = (A[:, [0]] * A[:, [1]] > 0).astype(float)
def wn(v, g):
    n = np.linalg.norm(v, axis=0, keepdims=True)
    return g * v / n, n
params = {"v1": g0.normal(size=(4, 9)), "g1": np.ones((1, 9)), "c1": np.zeros((1, 9)),
          "v2": g0.normal(size=(9, 1)), "g2": np.ones((1, 1)), "c2": np.zeros((1, 1))}
def f(p, X):
    w1, n1 = wn(p["v1"], p["g1"]); w2, n2 = wn(p["v2"], p["g2"])
    h = np.tanh(X @ w1 + p["c1"])
    return w1, n1, w2, n2, h, h @ w2 + p["c2"]
def loss(p, X, Y):
    z = f(p, X)[-1]
    return np.mean(np.maximum(z, 0) - z * Y + np.log1p(np.exp(-np.abs(z))))
def back_wn(dw, v, g, n):
    dg = (dw * v).sum(0, keepdims=True) / n
    return g / n * dw - g * dg / n ** 2 * v, dg
def grads(p, X, Y):
    w1, n1, w2, n2, h, z = f(p, X)
    d = (1 / (1 + np.exp(-z)) - Y) / len(X)
    dw2 = h.T @ d
    dh = d @ w2.T * (1 - h * h)
    dw1 = X.T @ dh
    dv1, dg1 = back_wn(dw1, p["v1"], p["g1"], n1)
    dv2, dg2 = back_wn(dw2, p["v2"], p["g2"], n2)
    return {"v1": dv1, "g1": dg1, "c1": dh.sum(0, keepdims=True), "v2": dv2, "g2": dg2, "c2": d.sum(0, keepdims=True)}
X, Y = A, t
