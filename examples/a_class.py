# A network as a class, samples in rows, biases as flat arrays. Nothing is wrong with it.

import numpy as np


class NeuralNetwork:
    def __init__(self, n_in, n_hidden, n_out):
        rng = np.random.RandomState(3)
        self.w1 = rng.randn(n_in, n_hidden) * np.sqrt(2 / n_in)
        self.b1 = np.zeros(n_hidden)
        self.w2 = rng.randn(n_hidden, n_out) * np.sqrt(2 / n_hidden)
        self.b2 = np.zeros(n_out)

    def forward(self, X):
        self.hidden = np.maximum(0, X.dot(self.w1) + self.b1)
        scores = self.hidden.dot(self.w2) + self.b2
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.probs = e / e.sum(axis=1, keepdims=True)
        return self.probs

    def backward(self, X, y):
        delta = self.probs.copy()
        delta[np.arange(len(y)), y] -= 1
        delta /= len(y)
        self.dw2 = self.hidden.T.dot(delta)
        self.db2 = delta.sum(axis=0)
        back = delta.dot(self.w2.T)
        back[self.hidden <= 0] = 0
        self.dw1 = X.T.dot(back)
        self.db1 = back.sum(axis=0)


net = NeuralNetwork(4, 8, 3)

# ---- adapter for diagnose.py: a class ----
_rng = np.random.RandomState(4)
X = _rng.randn(30, 4)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
NAMES = ("w1", "b1", "w2", "b2")
params = {name: getattr(net, name).copy() for name in NAMES}


def _put(params):
    for name in NAMES:
        setattr(net, name, params[name])


def loss(params, X, Y):
    _put(params)
    return float(-np.mean(np.log(net.forward(X)[np.arange(len(Y)), Y])))


def grads(params, X, Y):
    _put(params)
    net.forward(X)
    net.backward(X, Y)
    return {name: getattr(net, "d" + name) for name in NAMES}
