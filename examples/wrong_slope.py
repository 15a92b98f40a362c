# The program of a confused reader: two hidden layers, tanh, a sigmoid output. It worked with one
# hidden layer; since the second one the loss stays where it is.

import numpy as np

np.random.seed(7)
m = 200
angle = np.random.rand(m) * np.pi
side = np.arange(m) % 2
X = np.vstack([np.cos(angle) * (1 - 2 * side) + side, np.sin(angle) * (1 - 2 * side) + side * 0.5])
X = X + 0.1 * np.random.randn(2, m)
Y = side.reshape(1, m).astype(float)


def initialize_parameters(n_x, n_h, n_y):
    parameters = {}
    sizes = [n_x, n_h, n_h, n_y]
    for l in range(1, 4):
        parameters["W" + str(l)] = np.random.randn(sizes[l], sizes[l - 1]) * 0.8
        parameters["b" + str(l)] = np.zeros((sizes[l], 1))
    return parameters


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def tanh_derivative(x):
    return 1 - np.power(x, 2)


def forward_propagation(X, parameters):
    Z1 = np.dot(parameters["W1"], X) + parameters["b1"]
    A1 = np.tanh(Z1)
    Z2 = np.dot(parameters["W2"], A1) + parameters["b2"]
    A2 = np.tanh(Z2)
    Z3 = np.dot(parameters["W3"], A2) + parameters["b3"]
    A3 = sigmoid(Z3)
    return A3, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2, "Z3": Z3, "A3": A3}


def compute_cost(A3, Y):
    m = Y.shape[1]
    return -np.sum(Y * np.log(A3) + (1 - Y) * np.log(1 - A3)) / m


def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    dZ3 = cache["A3"] - Y
    dW3 = np.dot(dZ3, cache["A2"].T) / m
    db3 = np.sum(dZ3, axis=1, keepdims=True) / m
    dZ2 = np.dot(parameters["W3"].T, dZ3) * tanh_derivative(cache["Z2"])
    dW2 = np.dot(dZ2, cache["A1"].T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(parameters["W2"].T, dZ2) * tanh_derivative(cache["Z1"])
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}


# ---- adapter for diagnose.py: functions ----
params = initialize_parameters(2, 10, 1)


def loss(params, X, Y):
    return float(compute_cost(forward_propagation(X, params)[0], Y))


def grads(params, X, Y):
    return backward_propagation(params, forward_propagation(X, params)[1], X, Y)
