# kind: healthy
# words: 
import numpy as np
rng = np.random.RandomState(32)
X = rng.randn(25, 3); Y = rng.randn(25, 2); Y[rng.rand(25, 2) < .3] = np.nan
params = {'A': rng.randn(3, 5), 'a': np.zeros(5), 'B': rng.randn(5, 2), 'b': np.zeros(2)}
def f(p, X):
    h = np.tanh(X @ p['A'] + p['a']); return h, h @ p['B'] + p['b']
def loss(p, X, Y): return np.nanmean((f(p, X)[1] - Y) ** 2)
def grads(p, X, Y):
    h, o = f(p, X); ok = ~np.isnan(Y)
    d = np.where(ok, 2 * (o - np.where(ok, Y, 0)), 0) / ok.sum()
    dh = d @ p['B'].T * (1 - h * h)
    return {'A': X.T @ dh, 'a': dh.sum(0), 'B': h.T @ d, 'b': d.sum(0)}
