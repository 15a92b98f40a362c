"""Write programs as people post them on forums, right ones and ones with known mistakes.

Imports nothing of ours: what is a mistake and what its name is stands here in text, apart from the
diagnosis that is to find it. A program is written from a `Net`, which says what it is, and a list
of `Mistake`s, each a change of one line.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

ACTIVATIONS = {
    # name: value, slope at z, slope at a (None: nobody writes one)
    "relu": ("np.maximum({v}, 0)", "({v} > 0) * 1.0", "({v} > 0) * 1.0"),
    "leaky_relu": ("np.where({v} > 0, {v}, 0.01 * {v})", "np.where({v} > 0, 1.0, 0.01)",
                   "np.where({v} > 0, 1.0, 0.01)"),
    "leaky_relu(0.1)": ("np.maximum(0.1 * {v}, {v})", "np.where({v} > 0, 1, 0.1)",
                        "np.where({v} > 0, 1, 0.1)"),
    "tanh": ("np.tanh({v})", "1.0 / np.cosh({v}) ** 2", "1 - {v} ** 2"),
    "sigmoid": ("1 / (1 + np.exp(-({v})))", "np.exp(-({v})) / (1 + np.exp(-({v}))) ** 2",
                "{v} * (1 - {v})"),
    "softplus": ("np.log(1 + np.exp({v}))", "1 / (1 + np.exp(-({v})))", "1 - np.exp(-({v}))"),
    "elu": ("np.where({v} > 0, {v}, np.exp(np.minimum({v}, 0)) - 1)",
            "np.where({v} > 0, 1.0, np.exp(np.minimum({v}, 0)))",
            "np.where({v} > 0, 1.0, {v} + 1)"),
    "silu": ("{v} / (1 + np.exp(-({v})))",
             "(1 + np.exp(-({v})) + {v} * np.exp(-({v}))) / (1 + np.exp(-({v}))) ** 2", None),
    "identity": ("{v}", "np.ones_like({v})", "np.ones_like({v})"),
}  # fmt: skip
HIDDEN = ("relu", "tanh", "sigmoid", "leaky_relu", "leaky_relu(0.1)", "elu", "softplus", "silu")
OUTPUTS = (
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "cross_entropy"),
    ("identity", "squared_error"),
    ("sigmoid", "squared_error"),
    ("tanh", "squared_error"),
    ("softmax", "squared_error"),
)


@dataclass(frozen=True)
class Net:
    """A program's shape and manners."""

    widths: tuple[int, ...]
    hidden: tuple[str, ...]
    output: str
    loss: str
    samples: int
    rows: bool
    swapped: bool  # (out, in) for rows, (in, out) for columns
    bias: str  # "flat", "row", "none", "last", "first"
    form: str  # slopes of "z" or "a"
    mean: bool
    half: bool
    where_mean: str  # "delta" or "grads"
    penalty: float
    style: str  # "functions", "class", "step", "flat"
    dot: str
    seed: int
    delta: str = "short"  # "short": a - y where it is right; "long": dL/da times slope
    names: tuple[str, str] = ("W", "b")
    alpha: float = 0.37

    @property
    def layers(self) -> int:
        return len(self.widths) - 1


@dataclass(frozen=True)
class Mistake:
    """A word of the vocabulary at a layer (from 1)."""

    word: str
    layer: int
    detail: str = ""


@dataclass
class Lines:
    """The program's pieces, which mistakes change."""

    helpers: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    backward: list[str] = field(default_factory=list)


def make_net(rng, *, style=None, depth=None):
    """Draw a program."""
    depth = int(rng.integers(1, 4)) if depth is None else depth
    output, loss = OUTPUTS[rng.integers(len(OUTPUTS))]
    last = int(rng.integers(2, 5)) if output == "softmax" else int(rng.integers(1, 4))
    equal = rng.random() < 0.35
    width = int(rng.integers(3, 8))
    inner = [width if equal else int(rng.integers(3, 9)) for _ in range(depth)]
    mixed = rng.random() < 0.5
    first = HIDDEN[rng.integers(len(HIDDEN))]
    hidden = tuple(HIDDEN[rng.integers(len(HIDDEN))] if mixed else first for _ in range(depth))
    widths = (int(rng.integers(2, 7)), *inner, last)
    form = "a" if rng.random() < 0.5 and "silu" not in hidden else "z"
    bias = ("flat", "row", "row", "flat", "none", "last", "first")[rng.integers(7)]
    style = style or ("functions", "functions", "class", "step", "flat")[rng.integers(5)]
    if style == "flat" and bias in ("last", "first"):
        bias = "flat"
    samples = int(rng.choice([m for m in range(7, 16) if m not in widths]))
    return Net(
        widths, hidden, output, loss, samples,
        rows=bool(rng.random() < 0.5), swapped=bool(rng.random() < 0.25), bias=bias, form=form,
        mean=bool(rng.random() < 0.75), half=bool(rng.random() < 0.5),
        where_mean=("delta", "grads")[rng.integers(2)],
        penalty=float(rng.choice([0, 0, 0.03, 0.2])), style=style,
        dot=("@", "np.dot", ".dot")[rng.integers(3)], seed=int(rng.integers(1 << 30)),
        delta=("short", "long")[rng.integers(2)],
        names=(("W", "b"), ("w", "bias"), ("theta", "beta0_"), ("weights", "offset"))[
            rng.integers(4)],
    )  # fmt: skip


# --- pieces of text


def mul(net, left, right):
    """Write a matrix product in the author's manner."""
    if net.dot == "@":
        return f"{left} @ {right}"
    if net.dot == "np.dot":
        return f"np.dot({left}, {right})"
    return f"({left}).dot({right})" if " " in left else f"{left}.dot({right})"


def affine(net, k, a):
    """Write `z_k` of the activation below."""
    W = f"W{k}"
    if net.rows:
        product = mul(net, a, f"{W}.T" if net.swapped else W)
    else:
        product = mul(net, f"{W}.T" if net.swapped else W, a)
    return product + ("" if net.bias == "none" else f" + b{k}")


def weight_grad(net, k, a, d):
    """Write `dW_k` of activation and delta."""
    if net.rows:
        return mul(net, f"{d}.T", a) if net.swapped else mul(net, f"{a}.T", d)
    return mul(net, a, f"{d}.T") if net.swapped else mul(net, d, f"{a}.T")


def back(net, k, d, matrix=None):
    """Write dL/da of layer k - 1 from the delta of layer k."""
    W = matrix or f"W{k}"
    if net.rows:
        return mul(net, d, W if net.swapped else f"{W}.T")
    return mul(net, W if net.swapped else f"{W}.T", d)


def bias_grad(net, d, function="sum"):
    """Write `db` of a delta."""
    axis = 0 if net.rows else 1
    keep = "" if net.rows and net.bias != "row" else ", keepdims=True"
    return f"np.{function}({d}, axis={axis}{keep})"


def unit(name, which, v):
    """Write an activation's value (0), slope at z (1) or slope at a (2)."""
    return ACTIVATIONS[name][which].format(v=v)


def helper(name):
    return name.replace("(", "").replace(")", "").replace(".", "")


def slope_call(net, name, k, form=None):
    form = form or net.form
    return f"{helper(name)}_slope_{form}({'z' if form == 'z' else 'a'}{k})"


# --- a right program


def output_value(net, k):
    axis = 1 if net.rows else 0
    if net.output != "softmax":
        return [f"a{k} = {unit(net.output, 0, f'z{k}')}"]
    return [
        f"e = np.exp(z{k} - z{k}.max(axis={axis}, keepdims=True))",
        f"a{k} = e / e.sum(axis={axis}, keepdims=True)",
    ]


def scale(net):
    """Return the factor of the loss, and of the delta, as text; m is the number of samples."""
    return " / m" if net.mean else ""


def loss_text(net, k):
    a, over = f"a{k}", scale(net)
    if net.loss == "squared_error":
        return f"{'0.5 * ' if net.half else ''}np.sum(({a} - Y) ** 2){over}"
    if net.loss == "cross_entropy":
        return f"-np.sum(Y * np.log({a})){over}"
    return f"-np.sum(Y * np.log({a}) + (1 - Y) * np.log(1 - {a})){over}"


def penalty_text(net):
    if not net.penalty:
        return ""
    squares = " + ".join(f"np.sum({pure(net, k)} ** 2)" for k in range(1, net.layers + 1))
    return f" + {net.penalty} / 2 * ({squares})"


def pure(net, k):
    """Write the weights of a layer as the program has them at hand."""
    return f"W{k}"


def output_delta(net, mistakes):
    """Return lines that make the output's delta."""
    k = net.layers
    a, z, d = f"a{k}", f"z{k}", f"d{k}"
    over = scale(net) if net.where_mean == "delta" else ""
    two = "" if net.half or net.loss != "squared_error" else "2 * "
    axis = 1 if net.rows else 0
    words = {m.word: m for m in mistakes if m.layer == k}
    short = (net.output, net.loss) in (("sigmoid", "binary_cross_entropy"),
                                       ("softmax", "cross_entropy"))  # fmt: skip
    if short and net.delta == "short":
        line = f"{d} = ({a} - Y){over}"
        if "softmax_extra_derivative" in words:
            line = f"{d} = ({a} - Y) * {a} * (1 - {a}){over}"
        return [line]
    slope = {
        "squared_error": f"{two}({a} - Y){over}",
        "cross_entropy": f"-(Y / {a}){over}",
        "binary_cross_entropy": f"(-(Y / {a}) + (1 - Y) / (1 - {a})){over}",
    }[net.loss]
    lines = [f"g = {slope}"]
    if net.output == "softmax":
        right = f"{d} = {a} * (g - np.sum({a} * g, axis={axis}, keepdims=True))"
        if "softmax_jacobian_missing" in words:
            right = f"{d} = g"
        elif "softmax_jacobian_diagonal" in words:
            right = f"{d} = g * {a} * (1 - {a})"
        return [*lines, right]
    own = net.output
    use = unit(own, 2, a) if net.form == "a" else unit(own, 1, z)
    if "missing_output_derivative" in words:
        use = None
    elif "derivative_at_activation" in words:
        use = unit(own, 1, a)
    elif "derivative_at_preactivation" in words:
        use = unit(own, 2, z)
    elif "derivative_of_other_activation" in words:
        use = unit(words["derivative_of_other_activation"].detail, 2, a)
    elif "error_aliases_output" in words:
        return [f"err = {a}", "err -= Y", f"{d} = {two}err * ({unit(own, 2, a)}){over}"]
    if use is None or (own == "identity" and "derivative_of_other_activation" not in words):
        return [*lines, f"{d} = g"]
    if "upstream_discarded" in words:
        return [f"{d} = {use}"]
    return [*lines, f"{d} = g * ({use})"]


def hidden_delta(net, k, mistakes, updated):
    """Return lines that make the delta of hidden layer k."""
    words = {m.word: m for m in mistakes if m.layer == k}
    name, d, above = net.hidden[k - 1], f"d{k}", f"d{k + 1}"
    matrix = f"W{k + 1}new" if updated else None
    incoming = back(net, k + 1, above, matrix)
    if "hidden_delta_skips_weights" in words:
        incoming = above
    elif "backprop_through_wrong_matrix" in words:
        other = words["backprop_through_wrong_matrix"].detail
        incoming = back(net, k + 1, above, f"dW{k + 1}" if other == "grad" else f"W{k + 1}.T")
    use = slope_call(net, name, k)
    if "derivative_at_activation" in words:
        use = f"{helper(name)}_slope_z(a{k})"
    elif "derivative_at_preactivation" in words:
        use = f"{helper(name)}_slope_a(z{k})"
    elif "derivative_at_wrong_variable" in words:
        use = f"{helper(name)}_slope_a(up{k})"
    elif "derivative_of_other_activation" in words:
        use = slope_call(net, words["derivative_of_other_activation"].detail, k)
    elif "leaky_slope_mismatch" in words:
        use = f"np.where(z{k} > 0, 1.0, {words['leaky_slope_mismatch'].detail})"
    lines = [f"up{k} = {incoming}"]
    if "missing_hidden_derivative" in words:
        return [*lines, f"{d} = up{k}"]
    if "upstream_discarded" in words:
        return [*lines, f"{d} = {use}"]
    if "inplace_derivative_overwrites_cache" in words:
        return [*lines, f"{d} = up{k} * {helper(name)}_slope_in_place(a{k})"]
    return [*lines, f"{d} = up{k} * {use}"]


def grads_of_layer(net, k, mistakes):
    """Return lines for dW and db of a layer."""
    words = {m.word: m for m in mistakes if m.layer == k}
    below = f"a{k - 1}" if k > 1 else "X"
    d = f"d{k}"
    over = scale(net) if net.where_mean == "grads" else ""
    a = below
    if "weight_grad_wrong_activation" in words:
        a = words["weight_grad_wrong_activation"].detail
    elif "weight_grad_wrong_operand" in words:
        a = f"z{k - 1}"
    W = weight_grad(net, k, a, d)
    if "weight_grad_transposed" in words:
        W = f"({W}).T"
    if "sign_error" in words and words["sign_error"].detail == "W":
        W = f"-({W})"
    lines = [f"dW{k} = {W}{over}"]
    if net.bias != "none":
        function = "sum"
        if "bias_grad_mean_instead_of_sum" in words:
            function = "mean"
        b = bias_grad(net, d, function)
        if "bias_grad_missing_axis" in words:
            b = f"np.sum({d}) * np.ones_like(b{k})"
        elif "bias_grad_wrong_formula" in words:
            b = words["bias_grad_wrong_formula"].detail.format(b=b, k=k, act=net)
        lines.append(f"db{k} = {b}{over}")
    if net.penalty:
        factor = net.penalty
        if "l2_gradient_wrong" in words:
            factor = {"none": 0, "twice": 2 * factor, "half": factor / 2}[
                words["l2_gradient_wrong"].detail
            ]
        if factor:
            lines.append(f"dW{k} = dW{k} + {factor} * W{k}")
    return lines


def batch_factor(net, mistakes):
    """Return the line that spoils the output delta by a factor, if there is one."""
    k = net.layers
    words = {m.word: m for m in mistakes if m.layer == k}
    found = []
    if "sign_error" in words and words["sign_error"].detail == "delta":
        found.append(f"d{k} = -d{k}")
    for word, text in (("missing_batch_mean", f"d{k} = d{k} * m"),
                       ("extra_batch_mean", f"d{k} = d{k} / m"),
                       ("wrong_batch_size", f"d{k} = d{k} * m / {net.widths[0]}")):  # fmt: skip
        if word in words:
            found.append(text)
    if "loss_gradient_mismatch" in words:
        found.append(f"d{k} = d{k} * {words['loss_gradient_mismatch'].detail}")
    return found


# --- programs


def body(net, mistakes):
    """Return helper definitions, and the lines of forward and backward."""
    lines = Lines()
    names = dict.fromkeys([*net.hidden, *[m.detail for m in mistakes if m.detail in ACTIVATIONS]])
    spoiling = {m.layer for m in mistakes if m.word == "inplace_activation_overwrites_cache"}
    for name in names:
        value, at_z, at_a = (t and t.format(v="v") for t in ACTIVATIONS[name])
        h = helper(name)
        lines.helpers += [f"def {h}(v):", f"    return {value}", "", "",
                          f"def {h}_slope_z(v):", f"    return {at_z}", "", ""]  # fmt: skip
        if at_a:
            lines.helpers += [f"def {h}_slope_a(v):", f"    return {at_a}", "", ""]
    for k in sorted(spoiling):
        h = helper(net.hidden[k - 1])
        lines.helpers += [f"def {h}_in_place(v):", f"    v[...] = {h}(v)", "    return v", "", ""]
    for m in mistakes:
        if m.word == "inplace_derivative_overwrites_cache":
            h = helper(net.hidden[m.layer - 1])
            lines.helpers += [f"def {h}_slope_in_place(v):", f"    v[...] = {h}_slope_a(v)",
                              "    return v", "", ""]  # fmt: skip
    for k in range(1, net.layers + 1):
        lines.forward.append(f"z{k} = {affine(net, k, f'a{k - 1}' if k > 1 else 'X')}")
        if k == net.layers:
            lines.forward += output_value(net, k)
        elif k in spoiling:
            lines.forward.append(f"a{k} = {helper(net.hidden[k - 1])}_in_place(z{k})")
        else:
            lines.forward.append(f"a{k} = {helper(net.hidden[k - 1])}(z{k})")
    backward = [f"m = X.shape[{0 if net.rows else 1}]", *output_delta(net, mistakes),
                *batch_factor(net, mistakes)]  # fmt: skip
    early = {m.layer for m in mistakes if m.word == "weights_updated_before_backprop"}
    for k in range(net.layers, 0, -1):
        late = any(m.word == "inplace_derivative_overwrites_cache" and m.layer == k - 1
                   for m in mistakes)  # fmt: skip
        own = grads_of_layer(net, k, mistakes)
        if k in early:
            own.append(f"W{k}new = W{k} - {net.alpha} * dW{k}")
        below = hidden_delta(net, k - 1, mistakes, k in early) if k > 1 else []
        backward += [*below, *own] if late else [*own, *below]
    lines.backward = backward
    return lines


def weight_shape(net, k):
    n_in, n_out = net.widths[k - 1], net.widths[k]
    return (n_in, n_out) if net.rows != net.swapped else (n_out, n_in)


def bias_shape(net, k):
    n = net.widths[k]
    if net.rows:
        return (1, n) if net.bias == "row" else (n,)
    return (n, 1)


def array_names(net):
    """Return the names of the arrays of params."""
    W, b = net.names
    if net.style == "flat":
        return ["theta"]
    weights = [f"{W}{k}" for k in range(1, net.layers + 1)]
    if net.bias in ("none", "last", "first"):
        return weights
    return [n for k in range(1, net.layers + 1) for n in (f"{W}{k}", f"{b}{k}")]


def unpacking(net):
    """Return lines that take W1, b1, ... out of `params`."""
    W, b = net.names
    lines = []
    at = 0
    for k in range(1, net.layers + 1):
        shape = weight_shape(net, k)
        size = shape[0] * shape[1]
        if net.style == "flat":
            lines.append(f"W{k} = params['theta'][{at}:{at + size}].reshape{shape}")
            at += size
            if net.bias != "none":
                n = net.widths[k]
                lines.append(f"b{k} = params['theta'][{at}:{at + n}].reshape{bias_shape(net, k)}")
                at += n
        elif net.bias in ("last", "first"):
            in_first = net.rows != net.swapped
            where, rest = ("-1", ":-1") if net.bias == "last" else ("0", "1:")
            full = f"params['{W}{k}']"
            if in_first:
                lines += [f"W{k} = {full}[{rest}]", f"b{k} = {full}[{where}]"]
            else:
                lines += [f"W{k} = {full}[:, {rest}]", f"b{k} = {full}[:, {where}]"]
            if not net.rows:
                lines.append(f"b{k} = b{k}.reshape(-1, 1)")
        else:
            lines.append(f"W{k} = params['{W}{k}']")
            if net.bias != "none":
                lines.append(f"b{k} = params['{b}{k}']")
    return lines


def packing(net):
    """Return an expression for the dict of gradients."""
    W, b = net.names
    if net.style == "flat":
        parts = [
            p
            for k in range(1, net.layers + 1)
            for p in ([f"dW{k}.ravel()"] + ([f"db{k}.ravel()"] if net.bias != "none" else []))
        ]
        return "{'theta': np.concatenate([" + ", ".join(parts) + "])}"
    items = []
    for k in range(1, net.layers + 1):
        if net.bias in ("last", "first"):
            in_first = net.rows != net.swapped
            bias = f"db{k}.reshape(1, -1)" if in_first else f"db{k}.reshape(-1, 1)"
            pair = [f"dW{k}", bias] if net.bias == "last" else [bias, f"dW{k}"]
            stack = "np.vstack" if in_first else "np.hstack"
            items.append(f"'{W}{k}': {stack}([{', '.join(pair)}])")
        else:
            items.append(f"'{W}{k}': dW{k}")
            if net.bias != "none":
                items.append(f"'{b}{k}': db{k}")
    return "{" + ", ".join(items) + "}"


def start(net):
    """Return lines that make `params`."""
    W, b = net.names
    lines = [f"rng = np.random.RandomState({net.seed % 100000})"]
    if net.style == "flat":
        size = sum(
            net.widths[k - 1] * net.widths[k] + (net.widths[k] if net.bias != "none" else 0)
            for k in range(1, net.layers + 1)
        )
        return [*lines, f"params = {{'theta': rng.randn({size}) * 0.5}}"]
    items = []
    for k in range(1, net.layers + 1):
        shape = list(weight_shape(net, k))
        if net.bias in ("last", "first"):
            shape[0 if net.rows != net.swapped else 1] += 1
        items.append(f"'{W}{k}': rng.randn{tuple(shape)} * 0.5")
        if net.bias in ("flat", "row"):
            items.append(f"'{b}{k}': rng.randn{bias_shape(net, k)} * 0.1")
    return [*lines, "params = {" + ", ".join(items) + "}"]


def data(net):
    n, k, m = net.widths[0], net.widths[-1], net.samples
    lines = [f"X = rng.randn({m}, {n})"]
    labels = ("float", "bool", "int")[net.seed % 3]
    if net.output == "softmax":
        lines.append(f"Y = np.eye({k}, dtype={labels})[rng.randint(0, {k}, {m})]")
    elif net.loss == "binary_cross_entropy":
        lines.append(f"Y = (rng.rand({m}, {k}) > 0.5).astype({labels})")
    elif net.output == "sigmoid":
        lines.append(f"Y = rng.rand({m}, {k})")
    elif net.output == "tanh":
        lines.append(f"Y = rng.uniform(-1, 1, ({m}, {k}))")
    else:
        lines.append(f"Y = rng.randn({m}, {k})")
    return lines if net.rows else [*lines, "X, Y = X.T, Y.T"]


def indented(lines, by=1):
    return ["    " * by + line for line in lines]


def write(net, mistakes=()):
    """Return a program as text."""
    lines = body(net, mistakes)
    m = f"m = X.shape[{0 if net.rows else 1}]"
    value = f"return float({loss_text(net, net.layers)}{penalty_text(net)})"
    text = ["import numpy as np", "", "", *lines.helpers]
    forward = [*unpacking(net), *lines.forward]
    if net.style == "class":
        text += ["class Network:", "    def forward(self, params, X):",
                 *indented([*forward, *_kept(net)], 2), "",
                 "    def backward(self, params, X, Y):",
                 *indented([*unpacking(net), *_fetched(net), *lines.backward,
                            f"return {packing(net)}"], 2),
                 "", "", "net = Network()", ""]  # fmt: skip
        loss = ["net.forward(params, X)", *_fetched(net), *unpacking(net), m, value]
        grads = ["net.forward(params, X)", "return net.backward(params, X, Y)"]
    else:
        loss = [*forward, m, value]
        grads = [*forward, *lines.backward, f"g = {packing(net)}"]
        if net.style == "step":
            grads += ["new = {k: params[k] - 0.25 * g[k] for k in params}",
                      "return {k: (params[k] - new[k]) / 0.25 for k in params}"]  # fmt: skip
        else:
            grads.append("return g")
    text += [*start(net), *data(net), "", "", "def loss(params, X, Y):", *indented(loss), "", "",
             "def grads(params, X, Y):", *indented(grads), ""]  # fmt: skip
    return "\n".join(text)


def _cached(net):
    return [f"{v}{k}" for k in range(1, net.layers + 1) for v in "za"]


def _kept(net):
    return [f"self.{v} = {v}" for v in _cached(net)]


def _fetched(net):
    where = "net"
    return [f"{v} = {where}.{v}" for v in _cached(net)]


# --- mistakes that fit a program


def possible(net, rng):
    """Yield every mistake this program can have."""
    layers, form = net.layers, net.form
    for k in range(1, layers):
        name = net.hidden[k - 1]
        at_a = ACTIVATIONS[name][2] is not None
        curved = name in ("tanh", "sigmoid", "softplus", "elu")
        if curved:
            yield Mistake("derivative_at_activation", k)
            yield Mistake("derivative_at_preactivation", k)
        if name in ("tanh", "sigmoid"):
            yield Mistake("derivative_at_wrong_variable", k)
        if curved and form == "z":
            yield Mistake("inplace_activation_overwrites_cache", k)
        # The slope of ReLU at a positive a is 1, no slope at all; for a leaky ReLU it is a leak.
        positive = (name in ("sigmoid", "softplus") and form == "a") or "leaky" in name
        others = [n for n in ("tanh", "sigmoid", "relu") if n != name]
        others = [n for n in others if not (n == "relu" and positive)]
        yield Mistake("derivative_of_other_activation", k, str(rng.choice(others)))
        yield Mistake("missing_hidden_derivative", k)
        yield Mistake("upstream_discarded", k)
        if "relu" in name:
            value = {"relu": "0.01", "leaky_relu": "0.2", "leaky_relu(0.1)": "0.01"}[name]
            yield Mistake("leaky_slope_mismatch", k, value)
        if at_a and form == "a" and name != "identity":
            yield Mistake("inplace_derivative_overwrites_cache", k)
        if net.widths[k + 1] in (1, net.widths[k]):
            yield Mistake("hidden_delta_skips_weights", k)
        yield Mistake("backprop_through_wrong_matrix", k, "grad")
        if net.widths[k + 1] == net.widths[k]:
            yield Mistake("backprop_through_wrong_matrix", k, "transposed")
        yield Mistake("weights_updated_before_backprop", k + 1)
    for k in range(1, layers + 1):
        yield from _at_layer(net, k)
    yield from _at_output(net, rng)


def _at_layer(net, k):
    n_in, n_out = net.widths[k - 1], net.widths[k]
    if n_in == n_out:
        yield Mistake("weight_grad_transposed", k)
    for j in range(net.layers):
        if j != k - 1 and net.widths[j] == n_in:
            yield Mistake("weight_grad_wrong_activation", k, f"a{j}" if j else "X")
    if k > 1:
        yield Mistake("weight_grad_wrong_operand", k)
    if net.bias != "none":
        yield Mistake("bias_grad_mean_instead_of_sum", k)
        if n_out > 1:
            yield Mistake("bias_grad_missing_axis", k)
        yield Mistake("bias_grad_wrong_formula", k, "{b} * b{k}")
    if net.penalty:
        for detail in ("none", "twice", "half"):
            yield Mistake("l2_gradient_wrong", k, detail)
    yield Mistake("sign_error", k, "W")


def _at_output(net, rng):
    k = net.layers
    yield Mistake("sign_error", k, "delta")
    yield Mistake("wrong_batch_size", k)
    if net.mean:
        yield Mistake("missing_batch_mean", k)
    yield Mistake("extra_batch_mean", k)
    yield Mistake("loss_gradient_mismatch", k, str(rng.choice(["2", "0.5"])))
    if net.output == "softmax":
        if net.loss == "cross_entropy" and net.delta == "short":
            yield Mistake("softmax_extra_derivative", k)
        else:
            yield Mistake("softmax_jacobian_missing", k)
            yield Mistake("softmax_jacobian_diagonal", k)
        return
    if net.loss == "binary_cross_entropy" and net.delta == "short":
        return
    if net.output != "identity":
        yield Mistake("missing_output_derivative", k)
        yield Mistake("derivative_at_activation", k)
        yield Mistake("derivative_at_preactivation", k)
        others = [n for n in ("tanh", "sigmoid") if n != net.output]
        yield Mistake("derivative_of_other_activation", k, others[0])
        if net.loss == "squared_error":
            yield Mistake("error_aliases_output", k)


# Mistakes that write the same line exclude each other.
PLACES = {
    "slope": ("derivative_at_activation", "derivative_at_preactivation",
              "missing_output_derivative",
              "derivative_at_wrong_variable", "derivative_of_other_activation",
              "missing_hidden_derivative", "leaky_slope_mismatch", "error_aliases_output",
              "upstream_discarded", "inplace_derivative_overwrites_cache",
              "inplace_activation_overwrites_cache", "softmax_jacobian_missing",
              "softmax_jacobian_diagonal", "softmax_extra_derivative"),
    "through": ("hidden_delta_skips_weights", "backprop_through_wrong_matrix",
                "upstream_discarded"),
    "W": ("weight_grad_transposed", "weight_grad_wrong_activation", "weight_grad_wrong_operand"),
    "b": ("bias_grad_mean_instead_of_sum", "bias_grad_missing_axis", "bias_grad_wrong_formula"),
    "factor": ("missing_batch_mean", "extra_batch_mean", "wrong_batch_size",
               "loss_gradient_mismatch"),
    "penalty": ("l2_gradient_wrong",),
    "early": ("weights_updated_before_backprop",),
}  # fmt: skip


def places(mistake):
    found = [p for p, words in PLACES.items() if mistake.word in words]
    # One makes dW after the delta below it, the others make that delta of dW, or of W less it.
    if mistake.word == "inplace_derivative_overwrites_cache" or mistake.detail == "grad":
        found.append("order")
    taken = {(p, mistake.layer) for p in found}
    if mistake.word == "weights_updated_before_backprop":
        taken.add(("order", mistake.layer - 1))
    return taken or {(mistake.word + mistake.detail, mistake.layer)}


def draw(net, rng, count):
    """Draw mistakes that do not write the same line; None if there are not so many."""
    choices = list(possible(net, rng))
    words = list(dict.fromkeys(m.word for m in choices))
    chosen, taken = [], set()
    rng.shuffle(words)
    for word in words:
        fits = [m for m in choices if m.word == word and not places(m) & taken]
        if fits:
            chosen.append(fits[rng.integers(len(fits))])
            taken |= places(chosen[-1])
            # A step before use needs the weights to be used.
            if word == "weights_updated_before_backprop":
                taken |= {("through", chosen[-1].layer - 1)}
            if ("through", chosen[-1].layer) in places(chosen[-1]):
                taken |= {("early", chosen[-1].layer + 1)}
        if len(chosen) == count:
            return chosen
    return None


def without(net):
    """Return the program's right twin, for comparison."""
    return dataclasses.replace(net)
