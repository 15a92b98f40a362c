"""A slow second implementation, from the textbook, of everything that `bpcore` computes.

One network, plain NumPy in float64, a loop over layers, parameters in a dictionary `W1, b1, W2`...
It shares no code with `bpcore` but the draws a run starts from; formulas are the definitions, and
where `bpcore` rearranges one for speed or range, the one here is another.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from bpcore.start import initial_parameters

# --- activations: value and derivative of z. GELU in its tanh form, Hendrycks & Gimpel 2016.


def _gelu_inner(z):
    return np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)


ACTIVATION = {
    "relu": lambda z: np.where(z > 0, z, 0.0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "floored_relu": lambda z: np.where(z > 0.01, z, 0.01),
    "elu": lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
    "softplus": lambda z: np.logaddexp(0, z),
    "gelu": lambda z: z * expit(2 * _gelu_inner(z)),  # (1 + tanh u) / 2 = expit(2 u)
    "silu": lambda z: z * expit(z),
    "tanh": lambda z: 1 - 2 * expit(-2 * z),
    "softsign": lambda z: np.sign(z) * (1 - 1 / (1 + np.abs(z))),
    "sigmoid": expit,
    "identity": lambda z: z,
}
DERIVATIVE = {
    "relu": lambda z: np.where(z > 0, 1.0, 0.0),
    "leaky_relu": lambda z: np.where(z > 0, 1.0, 0.01),
    "floored_relu": lambda z: np.where(z > 0.01, 1.0, 0.0),
    "elu": lambda z: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0))),
    "softplus": expit,
    "gelu": lambda z: (
        expit(2 * _gelu_inner(z))
        + z
        * 2
        * expit(2 * _gelu_inner(z))
        * expit(-2 * _gelu_inner(z))
        * np.sqrt(2 / np.pi)
        * (1 + 3 * 0.044715 * z**2)
    ),
    "silu": lambda z: expit(z) + z * expit(z) * expit(-z),
    "tanh": lambda z: 4 * expit(2 * z) * expit(-2 * z),
    "softsign": lambda z: (1 + np.abs(z)) ** -2.0,
    "sigmoid": lambda z: expit(z) * expit(-z),
    "identity": np.ones_like,
}


@lru_cache
def thresholds(name):
    """The two z where the slope is 1 % of its largest value; None if it does not fall on a side."""
    if name not in DERIVATIVE:
        return None

    def above(z):
        return float(DERIVATIVE[name](np.array(z)) - 0.01 * largest)

    largest = DERIVATIVE[name](np.linspace(-50, 50, 10001)).max()
    if above(-1e4) > 0 or above(1e4) > 0:
        return None
    return brentq(above, -100, 0, xtol=1e-14), brentq(above, 0, 100, xtol=1e-14)


def saturated(name, z):
    """Share of z where the slope is below 1 % of its largest value."""
    ends = thresholds(name)
    return np.nan if ends is None else np.mean((z < ends[0]) | (z > ends[1]))


# --- output units, losses, their gradients. Samples are columns; losses are sums over everything.


def output_unit(name, z):
    if name == "softmax":
        return np.exp(z - logsumexp(z, axis=0))
    return ACTIVATION[name](z)


def _log_outputs(output, z):
    """Logarithms of `a` and of `1 - a`."""
    if output == "sigmoid":
        return -np.logaddexp(0, -z), -np.logaddexp(0, z)
    log_a = z - logsumexp(z, axis=0)
    if len(z) == 1:
        return log_a, np.full_like(z, -np.inf)
    others = [logsumexp(np.delete(z, k, axis=0), axis=0) for k in range(len(z))]
    return log_a, np.array(others) - logsumexp(z, axis=0)


def loss(output, name, z, y):
    if name == "squared_error":
        return 0.5 * np.sum((output_unit(output, z) - y) ** 2)
    log_a, log_rest = _log_outputs(output, z)
    if name == "softmax_cross_entropy":
        return -np.sum(y * log_a)
    return -np.sum(y * log_a + (1 - y) * log_rest)


def _jacobian(output, z, a, rest):
    """`da_i / dz_k` of one sample; `rest` is `1 - a`, without the cancellation."""
    if output == "softmax":
        J = -np.outer(a, a)
        np.fill_diagonal(J, a * rest)
        return J
    return np.diag(DERIVATIVE[output](z))


def delta(output, name, z, y):
    """`dL/dz = J^T dL/da`, one sample after another, by the chain rule and nothing cancelled."""
    a = output_unit(output, z)
    rest = np.exp(_log_outputs(output, z)[1]) if output in ("sigmoid", "softmax") else 1 - a
    if name == "squared_error":
        slope = a - y
    elif name == "softmax_cross_entropy":
        slope = -y / a
    else:
        slope = -y / a + (1 - y) / rest
    columns = [
        _jacobian(output, z[:, s], a[:, s], rest[:, s]).T @ slope[:, s] for s in range(z.shape[1])
    ]
    return np.array(columns).T


# --- the network


@dataclass
class Net:
    """Names and switches of one network.

    `mistakes` are spelled as in the catalogue, but made here in the places a forum post makes
    them.
    """

    activation: str = "relu"
    output: str = "sigmoid"
    loss: str = "binary_cross_entropy"
    reduction: str = "mean"
    bias: bool = True
    mistakes: tuple = ()

    def forward(self, params, X):
        layers = sum(name.startswith("W") for name in params)
        zs, activations = [], [X]
        for k in range(1, layers + 1):
            z = params[f"W{k}"] @ activations[-1]
            if self.bias:
                z = z + params[f"b{k}"][:, None]
            zs.append(z)
            top = k == layers
            activations.append(
                output_unit(self.output, z) if top else ACTIVATION[self.activation](z)
            )
        return zs, activations

    def value(self, params, X, Y):
        zs, _ = self.forward(params, X)
        return loss(self.output, self.loss, zs[-1], Y) / (
            X.shape[1] if self.reduction == "mean" else 1
        )

    def gradients(self, params, X, Y, stepping=None):
        """dL/dW and dL/db of every layer.

        `stepping`, learning rates by name, makes the mistake of stepping a layer (by sgd) as soon
        as it has its gradient, before the layers below have theirs.
        """
        zs, activations = self.forward(params, X)
        m, grads = X.shape[1], {}
        d = self._output_delta(zs[-1], activations[-1], Y)
        for k in range(len(zs), 0, -1):
            incoming, W = activations[k - 1], params[f"W{k}"]
            if "inplace_derivative_overwrites_cache" in self.mistakes and k > 1:
                incoming = DERIVATIVE[self.activation](zs[k - 2])
            grads[f"W{k}"] = d @ incoming.T
            if self.bias:
                divisor = m if "bias_grad_mean_instead_of_sum" in self.mistakes else 1
                grads[f"b{k}"] = d.sum(axis=1) / divisor
            if stepping:
                W = W - stepping[f"W{k}"] * grads[f"W{k}"]
            if k > 1:
                slope = self._slope(zs[k - 2], activations[k - 1])
                d = slope if "upstream_discarded" in self.mistakes else slope * (W.T @ d)
        sign = -1 if "sign_error" in self.mistakes else 1
        return {name: sign * g for name, g in grads.items()}

    def _output_delta(self, z, a, y):
        m = z.shape[1]
        right = "missing_output_derivative" not in self.mistakes
        d = delta(self.output, self.loss, z, y) if right else a - y
        if self.reduction == "mean" and "missing_batch_mean" not in self.mistakes:
            d = d / m
        return d / m if "extra_batch_mean" in self.mistakes else d

    def _slope(self, z, a):
        f = DERIVATIVE[self.activation]
        if "derivative_at_activation" in self.mistakes:
            return f(a)
        if "derivative_at_preactivation" in self.mistakes:  # what people write for each of them
            return {"tanh": 1 - z**2, "sigmoid": z * (1 - z)}[self.activation]
        if "missing_hidden_derivative" in self.mistakes:
            return np.ones_like(z)
        if "leaky_slope_mismatch" in self.mistakes:
            return DERIVATIVE[{"relu": "leaky_relu", "leaky_relu": "relu"}[self.activation]](z)
        return f(z)


# --- optimizers: a step, with its state, of one array


class Sgd:
    """`p <- p - lr g`."""

    def __init__(self, start, lr, hyper):
        self.p, self.lr, self.h, self.t = start, lr, hyper, 0

    def step(self, g):
        self.p = self.p - self.lr * g


class Momentum(Sgd):
    """Sutskever et al., ICML 2013, eq. 1 and 2."""

    v = 0.0

    def step(self, g):
        self.v = self.h.momentum * self.v - self.lr * g
        self.p = self.p + self.v


class Nesterov(Sgd):
    """Sutskever et al., ICML 2013, eq. 3 and 4: the gradient is taken at `theta + mu v`.

    `p` is that point, which is where a network with these parameters would be evaluated.
    """

    def __init__(self, start, lr, hyper):
        super().__init__(start, lr, hyper)
        self.theta, self.v = start, np.zeros_like(start)

    def step(self, g):
        self.v = self.h.momentum * self.v - self.lr * g
        self.theta = self.theta + self.v
        self.p = self.theta + self.h.momentum * self.v


class RMSprop(Sgd):
    """Hinton, Coursera lecture 6e, 2012, slide 29."""

    square = 0.0

    def step(self, g):
        self.square = self.h.beta2 * self.square + (1 - self.h.beta2) * g**2
        self.p = self.p - self.lr * g / (np.sqrt(self.square) + self.h.epsilon)


class Adam(Sgd):
    """Kingma & Ba, ICLR 2015, algorithm 1."""

    m = 0.0
    v = 0.0

    def step(self, g):
        self.t += 1
        b1, b2 = self.h.beta1, self.h.beta2
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g**2
        m_hat, v_hat = self.m / (1 - b1**self.t), self.v / (1 - b2**self.t)
        self.p = self.p - self.lr * m_hat / (np.sqrt(v_hat) + self.h.epsilon)


OPTIMIZER = {
    "sgd": Sgd,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
}


# --- what is measured: each from its definition, on all training data at once


def probes(net, params, X, Y, midpoint):
    """Everything that a forward pass over all training data tells."""
    zs, activations = net.forward(params, X)
    a = activations[-1]
    values = {
        "loss": net.value(params, X, Y),
        "output_spread": np.mean([np.std(row) for row in a]),
        "act_mean": [np.mean(layer) for layer in activations[1:]],
        "act_spread": [np.std(layer) for layer in activations[1:]],
        "dead_fraction": [
            np.mean([all(value == 0 for value in row) for row in layer])
            for layer in activations[1:]
        ],
        "saturated_fraction": [],
    }
    for z in zs:
        name = net.output if z is zs[-1] else net.activation
        values["saturated_fraction"].append(saturated(name, z))
    if midpoint is not None:
        values["accuracy"] = np.mean(_right(a, Y, midpoint))
    return values


def _right(a, Y, midpoint):
    if len(a) == 1:
        return [(p > midpoint) == (y > midpoint) for p, y in zip(a[0], Y[0], strict=True)]
    return [np.argmax(p) == np.argmax(y) for p, y in zip(a.T, Y.T, strict=True)]


def _weights(arrays):
    return [arrays[f"W{k}"] for k in range(1, 1 + sum(name[0] == "W" for name in arrays))]


# --- training


@dataclass
class Training:
    """A training of one network; `run()` leaves its results in the last five fields.

    Attributes:
        net: what is trained.
        params: its parameters, at the start and then at any time.
        X, Y: training data, samples in columns.
        epochs: passes over it.
        orders: the order of the samples in epoch 0, 1, ..., and one more for the measurement after
            the last.
        batch_size: samples a step; None for all, in the order they have.
        lr: learning rate, times `lr_factor` of the layer.
        optimizer, hyper: name, and constants.
        record: epochs at whose start everything is measured, besides the end.
        weight_decay: L2 penalty `weight_decay / 2 * |W|^2` on every W, none on b.
        midpoint: of the two classes of a single output; None for regression.
        lr_factor: for each layer.
        update_first: the mistake of stepping a layer before backprop went through it (sgd only).
    """

    net: Net
    params: dict
    X: np.ndarray
    Y: np.ndarray
    epochs: int
    orders: list
    batch_size: int | None
    lr: float
    optimizer: str
    hyper: object
    record: tuple
    weight_decay: float = 0.0
    midpoint: float | None = 0.5
    lr_factor: tuple = ()
    update_first: bool = False
    diverged: bool = False
    steps: int = 0
    loss: float = np.nan
    history: dict = field(default_factory=dict)

    def run(self):
        factors = [*self.lr_factor, *[1.0] * len(self.params)]
        self.rates = {name: self.lr * factors[int(name[1:]) - 1] for name in self.params}
        self.rules = {
            name: OPTIMIZER[self.optimizer](p, self.rates[name], self.hyper)
            for name, p in self.params.items()
        }
        for epoch in range(self.epochs):
            self._epoch(epoch)
            if self.diverged:
                return self
        final = self.params
        self.loss = self._recorded_step(self.epochs)["loss"]  # the step only to know its size
        self.params = final
        self.diverged = not np.isfinite(self.loss)
        return self

    def _epoch(self, epoch):
        m = self.X.shape[1]
        for at in range(0, m, self.batch_size or m):
            if self.steps % 10 == 0:
                seen = self.net.value(self.params, *self._batch(epoch, at))
                if not np.isfinite(seen):
                    self.diverged, self.loss = True, seen
                    return
            if at == 0 and epoch in self.record:
                self._recorded_step(epoch)
            else:
                self._step(epoch, at)
            self.steps += 1

    def _batch(self, epoch, at):
        if self.batch_size is None:
            return self.X, self.Y
        chosen = self.orders[epoch][at : at + self.batch_size]
        return self.X[:, chosen], self.Y[:, chosen]

    def _gradients(self, epoch, at):
        stepping = self.rates if self.update_first else None
        return self.net.gradients(self.params, *self._batch(epoch, at), stepping)

    def _step(self, epoch, at):
        grads = self._gradients(epoch, at)
        for name, rule in self.rules.items():
            penalty = self.weight_decay * rule.p if name[0] == "W" else 0.0
            rule.step(grads[name] + penalty)
        self.params = {name: rule.p for name, rule in self.rules.items()}

    def _recorded_step(self, epoch):
        before = _weights(self.params)
        values = probes(self.net, self.params, self.X, self.Y, self.midpoint)
        values["grad_norm"] = [_frobenius(g) for g in _weights(self._gradients(epoch, 0))]
        values["weight_norm"] = [_frobenius(W) for W in before]
        self._step(epoch, 0)
        values["update_ratio"] = [
            _frobenius(new - old) / _frobenius(old)
            for old, new in zip(before, _weights(self.params), strict=True)
        ]
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        return values


def _frobenius(W):
    return np.sqrt(sum(w * w for w in W.flat))


# --- draws


def start(spec, run):
    """The initial parameters of a run, by name, as `bpcore` draws them."""
    flat, params, at = initial_parameters(replace(spec, dtype="float64"), [run])[0], {}, 0
    for k in range(1, len(spec.sizes)):
        n_in, n_out = spec.sizes[k - 1], spec.sizes[k]
        rows = flat[at : at + n_out * (n_in + spec.bias)].reshape(n_out, -1)
        params[f"W{k}"] = rows[:, :n_in].copy()
        if spec.bias:
            params[f"b{k}"] = rows[:, n_in].copy()
        at += rows.size
    return params


def orders(run, epochs, m):
    """The order of the samples in each epoch: the third of the run's streams."""
    child = np.random.SeedSequence((run.seed, run.replicate), spawn_key=(2, 0))
    rng = np.random.default_rng(child)
    return [rng.permutation(m) for _ in range(epochs)]


def training(spec, run, data, mistakes=(), **changes):
    """The training that `bpcore` would make of the same specifications."""
    net = Net(spec.activation, spec.output, spec.loss, spec.reduction, spec.bias, mistakes)
    return Training(
        net,
        start(spec, run),
        data.X,
        data.Y,
        epochs=spec.epochs,
        orders=orders(run, spec.epochs + 1, data.X.shape[1]),
        batch_size=spec.batch_size,
        lr=run.lr,
        optimizer=spec.optimizer,
        hyper=spec.hyper,
        record=spec.record,
        weight_decay=run.weight_decay,
        midpoint=data.midpoint,
        lr_factor=run.lr_factor,
        **changes,
    ).run()


def initial(name, fan_in, fan_out):
    """Mean and standard deviation of a weight, from the papers; None for orthogonal."""
    return {
        "normal": (0, 1),
        "uniform": (0, 1 / np.sqrt(3)),
        "glorot_normal": (0, np.sqrt(2 / (fan_in + fan_out))),
        "glorot_uniform": (0, np.sqrt(2 / (fan_in + fan_out))),
        "he_normal": (0, np.sqrt(2 / fan_in)),
        "he_uniform": (0, np.sqrt(2 / fan_in)),
        "lecun_normal": (0, np.sqrt(1 / fan_in)),
        "orthogonal": (0, np.sqrt(1 / max(fan_in, fan_out))),
        "constant": (1, 0),
        "zeros": (0, 0),
    }[name]
