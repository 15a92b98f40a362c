# kind: gradient
# words: unexplained
# 1d convolution layer, K gradient uses flipped window
import numpy as np
np.random.seed(1)
X = np.random.randn(18, 10); Y = np.random.randn(18, 1)
params = {'K': np.random.randn(3) * .5, 'kb': np.zeros(1), 'W': np.random.randn(8, 1) * .4, 'b': np.zeros(1)}
def fwd(p, X):
    z = np.stack([X[:, i:i + 8] for i in range(3)]).transpose(1, 2, 0) @ p['K'] + p['kb']
    h = np.maximum(z, 0)
    return z, h, h @ p['W'] + p['b']
def loss(p, X, Y): return ((fwd(p, X)[2] - Y) ** 2).mean()
def grads(p, X, Y):
    z, h, o = fwd(p, X)
    d = 2 * (o - Y) / len(X)
    dz = d @ p['W'].T * (z > 0)
    dK = np.zeros(3)
    for i in range(3):
        dK[i] = (dz * X[:, i:i + 8]).sum()
    return {'K': dK[::-1], 'kb': np.array([dz.sum()]), 'W': h.T @ d, 'b': d.sum(0)}
