# kind: gradient
# words: sign_error
# class weights; sign flipped on the hidden path
import numpy as np
rng = np.random.RandomState(56)
X = rng.randn(32, 5); Y = rng.randint(0, 3, 32)
cw = np.array([.5, 1., 3.])
params = {'W1': rng.randn(5, 6) * .5, 'b1': rng.randn(6) * .2, 'W2': rng.randn(6, 3), 'b2': np.zeros(3)}
def f(p, X):
    h = np.tanh(X @ p['W1'] + p['b1']); s = h @ p['W2'] + p['b2']
    e = np.exp(s - s.max(1, keepdims=True)); return h, e / e.sum(1, keepdims=True)
def loss(p, X, Y):
    q = f(p, X)[1]; return -(cw[Y] * np.log(q[np.arange(len(Y)), Y])).sum() / len(Y)
def grads(p, X, Y):
    h, q = f(p, X); q[np.arange(len(Y)), Y] -= 1; q *= cw[Y][:, None] / len(Y)
    dh = -(q @ p['W2'].T) * (1 - h ** 2)
    return {'W1': X.T @ dh, 'b1': dh.sum(0), 'W2': h.T @ q, 'b2': q.sum(0)}
