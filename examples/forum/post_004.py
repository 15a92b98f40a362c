"""The program of forum post 004 (conf/case/004.yaml): ReLU in all layers, "poor results".

As posted: one sample a step, no biases, ReLU at the output too, the error taken through the weights
without the slopes, heaviside(z, 0) as slope. Not shown, and filled in here as in the book whose code
it is: the start (between -0.5 and 0.5), targets of 0.01 and 0.99, the step (0.1); 20 units in both
hidden layers; the data. The program has no loss: half the squared error is what `targets - outputs`
belongs to. Its step divided by the step size is handed out as the gradient; samples are rows.
"""

import numpy as np

LEARNING_RATE, EPOCHS = 0.1, 10


def activation_function(x):
    return np.maximum(x, 0)


def outputs(params, X):
    a = np.array(X, ndmin=2).T
    for name in ("wih", "wh1h2", "wh2o"):
        a = activation_function(np.dot(params[name], a))
    return a


def loss(params, X, Y):
    return float(0.5 * np.sum((outputs(params, X) - np.array(Y, ndmin=2).T) ** 2) / len(X))


def step(params, inputs_list, targets_list):
    """Return what the program adds to its weights, before the step size."""
    inputs = np.array(inputs_list, ndmin=2).T
    targets = np.array(targets_list, ndmin=2).T
    hidden_inputs = np.dot(params["wih"], inputs)
    hidden_outputs = activation_function(hidden_inputs)
    hidden_inputs2 = np.dot(params["wh1h2"], hidden_outputs)
    hidden_outputs2 = activation_function(hidden_inputs2)
    final_inputs = np.dot(params["wh2o"], hidden_outputs2)
    final_outputs = activation_function(final_inputs)

    output_errors = targets - final_outputs
    hidden_errors2 = np.dot(params["wh2o"].T, output_errors)
    hidden_errors = np.dot(params["wh1h2"].T, hidden_errors2)
    return {
        "wh2o": np.dot(output_errors * np.heaviside(final_inputs, 0.0), hidden_outputs2.T),
        "wh1h2": np.dot(hidden_errors2 * np.heaviside(hidden_inputs2, 0.0), hidden_outputs.T),
        "wih": np.dot(hidden_errors * np.heaviside(hidden_inputs, 0.0), inputs.T),
    }


def grads(params, X, Y):
    added = step(params, X, Y)
    return {name: -added[name] / len(X) for name in params}


def train(params, X, Y):
    p, losses = {name: w.copy() for name, w in params.items()}, []
    for _ in range(EPOCHS):
        losses.append(loss(p, X, Y))
        for x, y in zip(X, Y):
            added = step(p, x, y)
            for name in p:
                p[name] += LEARNING_RATE * added[name]
    return p, losses


rng = np.random.default_rng(0)
_classes = rng.integers(3, size=150)
X = 2 * np.eye(3)[_classes] + rng.standard_normal((150, 3))
Y = np.where(np.eye(3)[_classes] == 1, 0.99, 0.01)
params = {
    name: rng.random(size) - 0.5
    for name, size in (("wih", (20, 3)), ("wh1h2", (20, 20)), ("wh2o", (3, 20)))
}
