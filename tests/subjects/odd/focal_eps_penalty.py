# kind: gradient
# words: unexplained
import numpy as np
rng = np.random.RandomState(24)
X = rng.randn(45, 4); Y = (rng.rand(45, 1) > .7).astype(float)
params = {'W1': rng.randn(4, 7), 'b1': np.zeros(7), 'W2': rng.randn(7, 1), 'b2': np.zeros(1)}
def f(p, X):
    h = np.tanh(X @ p['W1'] + p['b1'])
    return h, 1 / (1 + np.exp(-(h @ p['W2'] + p['b2'])))
def loss(p, X, Y):
    _, q = f(p, X); q = np.where(Y == 1, q, 1 - q)
    return np.mean(-(1 - q) ** 2 * np.log(q + 1e-9)) + 1e-4 * np.sum(p["W1"] ** 2)
def grads(p, X, Y):
    h, s = f(p, X); q = np.where(Y == 1, s, 1 - s); sg = np.where(Y == 1, 1, -1)
    dq = (2 * (1 - q) * np.log(q) - (1 - q) ** 2 / q) * sg / len(X)
    dz = dq * s * (1 - s)
    dh = dz @ p['W2'].T * (1 - h * h)
    return {'W1': X.T @ dh, 'b1': dh.sum(0), 'W2': h.T @ dz, 'b2': dz.sum(0)}
