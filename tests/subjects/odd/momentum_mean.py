# kind: gradient
# words: unexplained
import numpy as np
rng = np.random.RandomState(3)
X = rng.randn(30, 3); Y = rng.rand(30, 1)
params = {'W1': rng.randn(3, 5), 'b1': rng.randn(5), 'W2': rng.randn(5, 1), 'b2': rng.randn(1)}
vel = {k: np.zeros_like(v) for k, v in params.items()}
def f(p, X):
    h = np.tanh(X @ p['W1'] + p['b1'])
    return h, h @ p['W2'] + p['b2']
def loss(p, X, Y): return np.mean((f(p, X)[1] - Y) ** 2)
def grads(p, X, Y):
    h, o = f(p, X)
    d = 2 * (o - Y) / len(X)
    dh = d @ p['W2'].T * (1 - h * h)
    g = {'W1': X.T @ dh, 'b1': dh.sum(0), 'W2': h.T @ d, 'b2': d.sum(0)}
    for k in g: vel[k] = .9 * vel[k] + .1 * g[k]
    return {k: v.copy() for k, v in vel.items()}
