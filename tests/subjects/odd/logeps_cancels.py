# kind: healthy
# words: 
# inputs have exact zeros and biases start at zero: pre-activations exactly 0
import numpy as np
rng = np.random.default_rng(77)
X = (rng.random((40, 8)) > .75).astype(float)
X[3] = 0
Y = (X.sum(1, keepdims=True) > 2).astype(float)
params = {'W1': rng.standard_normal((8, 10)) * .5, 'b1': np.zeros((1, 10)), 'W2': rng.standard_normal((10, 6)) * .5,
          'b2': np.zeros((1, 6)), 'W3': rng.standard_normal((6, 1)), 'b3': np.zeros((1, 1))}
params['b1'][0, 2] = -50.   # dead
def relu(z): return z * (z > 0)
def forward(p, X):
    z1 = X @ p['W1'] + p['b1']; a1 = relu(z1)
    z2 = a1 @ p['W2'] + p['b2']; a2 = relu(z2)
    z3 = a2 @ p['W3'] + p['b3']
    return z1, a1, z2, a2, 1 / (1 + np.exp(-z3))
def loss(p, X, Y):
    a3 = forward(p, X)[-1]
    return float(np.squeeze(-np.mean(Y * np.log(a3 + 1e-8) + (1 - Y) * np.log(1 - a3 + 1e-8))))
def grads(p, X, Y):
    z1, a1, z2, a2, a3 = forward(p, X)
    n = len(X)
    dz3 = a3 - Y
    dz2 = dz3 @ p['W3'].T
    dz2[z2 <= 0] = 0
    dz1 = dz2 @ p['W2'].T * (z1 > 0)
    return {'W3': a2.T @ dz3 / n, 'b3': np.mean(dz3, 0, keepdims=True), 'W2': a1.T @ dz2 / n, 'b2': np.mean(dz2, 0, keepdims=True),
            'W1': X.T @ dz1 / n, 'b1': np.mean(dz1, 0, keepdims=True)}
