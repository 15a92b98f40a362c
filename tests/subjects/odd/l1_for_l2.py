# kind: gradient
# words: l2_gradient_wrong
import numpy as np
np.random.seed(55)
X = np.random.randn(5, 50); Y = (X[:1] > X[1:2]).astype(int)
params = {'W1': np.random.randn(6, 5) * .5, 'b1': np.zeros((6, 1)), 'W2': np.random.randn(1, 6) * .5, 'b2': np.zeros((1, 1))}
lambd = .3
def sigmoid(z): return 1 / (1 + np.exp(-z))
def fp(p, X):
    A1 = np.tanh(p['W1'] @ X + p['b1']); return A1, sigmoid(p['W2'] @ A1 + p['b2'])
def loss(p, X, Y):
    m = X.shape[1]; A2 = fp(p, X)[1]
    return (-(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)).sum() + lambd / 2 * sum(np.square(p[k]).sum() for k in ('W1', 'W2'))) / m
def grads(p, X, Y):
    m = X.shape[1]; A1, A2 = fp(p, X)
    dZ2 = A2 - Y
    dZ1 = p['W2'].T @ dZ2 * (1 - A1 ** 2)
    return {'W2': (dZ2 @ A1.T + lambd * np.sign(p['W2'])) / m, 'b2': dZ2.sum(1, keepdims=True) / m,
            'W1': (dZ1 @ X.T + lambd * np.sign(p['W1'])) / m, 'b1': dZ1.sum(1, keepdims=True) / m}
