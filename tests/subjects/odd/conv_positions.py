# kind: gradient
# words: unexplained
# conv autoencoder on sequences of length 10; kernel gradient averaged over the 10 positions
import numpy as np
rng = np.random.RandomState(73)
X = rng.randn(18, 10); Y = X.copy()
params = {'K': rng.randn(3) * .5, 'V': rng.randn(3) * .5, 'c': np.zeros(1)}
def conv(x, k): return sum(k[j] * np.roll(x, j - 1, axis=1) for j in range(3))
def f(p, X):
    h = np.tanh(conv(X, p['K'])); return h, conv(h, p['V']) + p['c']
def loss(p, X, Y): return ((f(p, X)[1] - Y) ** 2).sum() / len(X)
def grads(p, X, Y):
    h, o = f(p, X); d = 2 * (o - Y) / len(X)
    dV = np.array([(d * np.roll(h, j - 1, axis=1)).sum() for j in range(3)])
    dh = sum(p['V'][j] * np.roll(d, 1 - j, axis=1) for j in range(3)) * (1 - h ** 2)
    dK = np.array([(dh * np.roll(X, j - 1, axis=1)).mean(1).sum() for j in range(3)])
    return {'K': dK, 'V': dV, 'c': np.array([d.sum()])}
