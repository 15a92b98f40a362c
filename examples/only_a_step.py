# A program that keeps no gradients, only takes steps: after each layer, before the next is done.

import numpy as np

rng = np.random.RandomState(5)
syn0 = 2 * rng.random_sample((3, 4)) - 1
syn1 = 2 * rng.random_sample((4, 1)) - 1
alpha = 0.5


def nonlin(x, deriv=False):
    if deriv:
        return x * (1 - x)
    return 1 / (1 + np.exp(-x))


def train_step(x, y):
    global syn0, syn1
    l1 = nonlin(np.dot(x, syn0))
    l2 = nonlin(np.dot(l1, syn1))
    l2_delta = (y - l2) * nonlin(l2, deriv=True)
    syn1 += alpha * l1.T.dot(l2_delta)
    l1_error = l2_delta.dot(syn1.T)
    l1_delta = l1_error * nonlin(l1, deriv=True)
    syn0 += alpha * x.T.dot(l1_delta)
    return l2


# ---- adapter for diagnose.py: only a step ----
X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1.0]])
Y = np.array([[0], [1], [1], [0.0]])
params = {"syn0": syn0.copy(), "syn1": syn1.copy()}


def _step(params, X, Y):
    global syn0, syn1
    syn0, syn1 = params["syn0"].copy(), params["syn1"].copy()
    return train_step(X, Y)


def loss(params, X, Y):
    return float(0.5 * np.sum((Y - _step(params, X, Y)) ** 2))


def grads(params, X, Y):
    _step(params, X, Y)
    return {"syn0": (params["syn0"] - syn0) / alpha, "syn1": (params["syn1"] - syn1) / alpha}
