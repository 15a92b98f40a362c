# kind: gradient
# words: softmax_extra_derivative
# label smoothing, delta times s(1-s)
import numpy as np
rng = np.random.RandomState(78)
X = rng.randn(40, 4); Y = np.eye(4)[rng.randint(0, 4, 40)]
params = {'W1': rng.randn(4, 6), 'b1': rng.randn(6) * .1, 'W2': rng.randn(6, 4), 'b2': np.zeros(4)}
def f(p, X):
    h = np.maximum(0, X @ p['W1'] + p['b1']); e = np.exp(h @ p['W2'] + p['b2']); return h, e / e.sum(1, keepdims=True)
def loss(p, X, Y):
    T = .9 * Y + .025; return -np.sum(T * np.log(f(p, X)[1])) / len(X)
def grads(p, X, Y):
    T = .9 * Y + .025
    h, q = f(p, X); d = (q - T) * q * (1 - q) / len(X)
    dh = d @ p['W2'].T * (h > 0)
    return {'W1': X.T @ dh, 'b1': dh.sum(0), 'W2': h.T @ d, 'b2': d.sum(0)}
