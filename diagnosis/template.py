"""The adapter a reader fills in."""

TEMPLATE = '''"""An adapter for diagnose.py: your own code above the line, fill in the rest below.

Then: python diagnose.py this_file.py
"""

import numpy as np

# Your own code goes here, as it is: functions, a class, or one training step.


# ---- adapter: five names, made of your code ----

# The arrays training starts from, by name. Any layout will do.
params = {
    # "W1": W1, "b1": b1, "W2": W2, "b2": b2,
}

# Your data, samples in rows or in columns, as you train on them. A few dozen samples are enough.
X = ...
Y = ...


def loss(params, X, Y):
    """Return the loss you want to go down, as one number."""
    # Functions:   return float(compute_cost(forward(X, params), Y))
    # A class:     net.W1, net.b1 = params["W1"], params["b1"]; return float(net.loss(X, Y))
    raise NotImplementedError


def grads(params, X, Y):
    """Return your gradients: a dict with the keys of params, each of the same shape."""
    # Functions:   cache = forward(X, params); return backward(cache, X, Y, params)
    # A class:     net.W1 = params["W1"].copy(); net.backward(X, Y); return {"W1": net.dW1}
    # Only a step: net.W1 = params["W1"].copy(); net.train_step(X, Y)
    #              return {"W1": (params["W1"] - net.W1) / net.lr}
    raise NotImplementedError


# Optional. Return the trained params and the list of losses. Default values of lr and steps can
# then be varied.
# def train(params, X, Y, steps=1000, lr=0.1):
#     params, losses = {k: v.copy() for k, v in params.items()}, []
#     for _ in range(steps):
#         losses.append(loss(params, X, Y))
#         g = grads(params, X, Y)
#         params = {k: params[k] - lr * g[k] for k in params}
#     return params, losses
'''
