"""The program of forum post 003 (conf/case/003.yaml): logistic units learn, ReLUs do not.

As posted: the backward pass for ReLU, with the bias as a last column of ones in each layer's values
and of each weight matrix, and sums over the samples of a call. Samples are rows. Not shown, and
filled in here: the forward pass, the loss that softmax minus targets belongs to, two hidden layers
of 20, the start (0.01 times a normal draw), the step (0.3), batches of 20 in order, and the data.
"""

import numpy as np

LEARNING_RATE, EPOCHS, BATCH = 0.3, 30, 20


def with_bias(values):
    return np.hstack([values, np.ones((len(values), 1))])


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def forward(inputs, weight_matrices):
    node_values = [with_bias(inputs)]
    for weights in weight_matrices[:-1]:
        node_values.append(with_bias(np.maximum(node_values[-1].dot(weights.T), 0)))
    node_values.append(softmax(node_values[-1].dot(weight_matrices[-1].T)))
    return node_values


def backprop_relu(node_values, targets, weight_matrices):
    delta_nodes = node_values[-1] - targets
    delta_weights = delta_nodes.T.dot(node_values[-2])
    weight_updates = [delta_weights]
    for i in range(-2, -len(weight_matrices) - 1, -1):
        back = delta_nodes.dot(weight_matrices[i + 1])[:, :-1]
        delta_nodes = (node_values[i] > 0)[:, :-1] * back
        delta_weights = delta_nodes.T.dot(node_values[i - 1])
        weight_updates.insert(0, delta_weights)
    return weight_updates


def matrices(params):
    return [params[f"W{k}"] for k in range(len(params))]


def loss(params, X, Y):
    return float(-np.sum(Y * np.log(forward(X, matrices(params))[-1])))


def grads(params, X, Y):
    weights = matrices(params)
    updates = backprop_relu(forward(X, weights), Y, weights)
    return {f"W{k}": update for k, update in enumerate(updates)}


def train(params, X, Y):
    p, losses = dict(params), []
    for _ in range(EPOCHS):
        losses.append(loss(p, X, Y))
        for at in range(0, len(X), BATCH):
            g = grads(p, X[at : at + BATCH], Y[at : at + BATCH])
            p = {name: p[name] - LEARNING_RATE * g[name] for name in p}
    return p, losses


rng = np.random.default_rng(0)
_classes = rng.integers(3, size=200)
X = 2 * np.eye(3)[_classes] + rng.standard_normal((200, 3))
Y = np.eye(3)[_classes]
params = {
    f"W{k}": 0.01 * rng.standard_normal(size) for k, size in enumerate(((20, 4), (20, 21), (3, 21)))
}
