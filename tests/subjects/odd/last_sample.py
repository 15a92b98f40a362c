# kind: gradient
# words: unexplained
import numpy as np
rng = np.random.RandomState(71)
X = rng.randn(24, 4); Y = rng.randint(0, 3, 24)
params = {'W1': rng.randn(4, 6) * .5, 'b1': rng.randn(6) * .2, 'W2': rng.randn(6, 3) * .5, 'b2': rng.randn(3) * .1}
def f(p, X):
    h = np.tanh(X @ p['W1'] + p['b1']); s = h @ p['W2'] + p['b2']
    e = np.exp(s - s.max(1, keepdims=True)); return h, e / e.sum(1, keepdims=True)
def loss(p, X, Y):
    return -np.log(f(p, X)[1][np.arange(len(Y)), Y]).mean()
def grads0(p, X, Y):
    h, q = f(p, X); q[np.arange(len(Y)), Y] -= 1; q /= len(Y)
    dh = q @ p['W2'].T * (1 - h ** 2)
    g = {'W1': X.T @ dh, 'b1': dh.sum(0), 'W2': h.T @ q, 'b2': q.sum(0)}
    return g
def grads(p, X, Y):
    for i in range(len(X)):
        g = grads0(p, X[i:i + 1], Y[i:i + 1])     # overwritten, not added
    return g
