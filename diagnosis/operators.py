"""The catalogue of mistakes, as operators on the way back.

Each entry says what is done wrongly at one place, in formulas over one group of points; which word
it has; and how likely it is, as a cost. The search puts them together. An operator returns None
where shapes do not allow it. Layers count from 0; `k` is the layer whose delta is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.calls import Array
from diagnosis.formulas import LOSSES, SLOPES
from diagnosis.groups import Group
from diagnosis.model import Model


@dataclass(frozen=True)
class Op:
    """One mistake at one place.

    Attributes:
        word: from the vocabulary.
        layer: from 0.
        part: what is wrong: "delta", "W" or "b".
        note: what is done, in a few words or a formula.
        cost: how unlikely; 1 is usual.
        free: whether a factor of two belongs to it.
        also: a second mistake in the same product.
    """

    word: str
    layer: int
    part: str
    note: str
    cost: float = 1.0
    free: bool = False
    also: Op | None = None


Arrays = list[Array]


@dataclass(frozen=True)
class Signal:
    """A delta the author may have used, in each group.

    Attributes:
        bases: arrays whose combination it is; mostly one.
        pre: `dL/da` from which it was made.
        ops: what is wrong with it.
    """

    bases: list[Arrays]
    pre: Arrays
    ops: tuple[Op, ...] = ()
    expected: tuple[float, ...] = (1.0,)

    @property
    def cost(self) -> float:
        """Sum of the costs of what is wrong."""
        return sum(op.cost for op in self.ops)


def _each(groups: Sequence[Group], make: Callable[[Group], Array | None]) -> Arrays | None:
    made = []
    with np.errstate(all="ignore"):
        for group in groups:
            array = make(group)
            if array is None or not np.isfinite(array).all():
                return None
            made.append(array)
    return made


def _times(left: Arrays, right: Arrays) -> Arrays:
    return [a * b for a, b in zip(left, right, strict=True)]


# --- slopes that people take


# Half or a third of a common slope: a factor is the likelier reason.
RARE = ("bipolar_sigmoid", "lecun_tanh", "hard_sigmoid", "hard_sigmoid(1/6)", "selu")


def _family(name: str) -> str:
    return "leaky_relu" if name.startswith("leaky_relu") else name


def _slope_words(own: str, name: str, form: str, variable: str) -> tuple[str, float] | None:
    """Return the word and the cost of a slope formula at a variable; None if it is right."""
    if form == "value":
        return "derivative_of_other_activation", 1.25
    if name == own:
        if variable == form:
            return None
        if variable in ("z", "a"):
            word = {"z": "derivative_at_activation", "a": "derivative_at_preactivation"}[form]
            return word, 1.0
        return "derivative_at_wrong_variable", 1.1
    if variable not in ("z", "a"):
        return "derivative_of_other_activation", 1.9
    if _family(name) == _family(own) or {_family(name), own} == {"leaky_relu", "relu"}:
        return "leaky_slope_mismatch", 1.0
    rare = 0.45 * (name in RARE)
    return "derivative_of_other_activation", rare + (1.05 if variable == form else 1.2)


def _formula_text(name: str, form: str, variable: str) -> str:
    if form == "value":
        return f"{name}({variable}) itself"
    return f"the slope formula of {name} for {form}, taken at {variable}"


def slope_choices(
    groups: Sequence[Group], own: str, layer: int, variables: Mapping[str, Arrays]
) -> Iterator[tuple[Op, Arrays]]:
    """Yield slopes other than the right one, at z, a and other variables of the same shape."""
    for (name, form), formula in SLOPES.items():
        for variable, values in variables.items():
            words = _slope_words(own, name, form, variable)
            if words is None or (variable not in ("z", "a") and (name != own or form == "value")):
                continue
            slope = _each_of(values, formula)
            if slope is not None:
                op = Op(words[0], layer, "delta", _formula_text(name, form, variable), words[1])
                yield op, slope
    yield from _slopes_of_slopes(groups, own, layer, variables)


def _each_of(values: Arrays, formula: Callable[[Array], Array]) -> Arrays | None:
    with np.errstate(all="ignore"):
        made = [np.asarray(formula(v), float) for v in values]
    return made if all(np.isfinite(a).all() for a in made) else None


def _slopes_of_slopes(
    groups: Sequence[Group],
    own: str,
    layer: int,
    variables: Mapping[str, Arrays],  # noqa: ARG001
) -> Iterator[tuple[Op, Arrays]]:
    """Yield the slope taken of a cache that already holds the slope."""
    for form in "za":
        formula = SLOPES.get((own, form))
        if formula is None:
            continue
        twice = _each_of(variables[form], lambda v, f=formula: f(f(v)))  # type: ignore[misc]
        if twice is not None:
            note = f"the slope formula for {form} is applied to its own result"
            yield Op("inplace_derivative_overwrites_cache", layer, "delta", note, 1.3), twice


def _products(S: Array, A: Array, own: str) -> Iterator[tuple[str, Array]]:
    """Yield slopes in which a matrix product stands for an elementwise one, if shapes allow."""
    m, n = A.shape[1:]
    T = A.swapaxes(1, 2)
    other = 1 - A
    pairs: list[tuple[str, Array, Array]] = []
    if own == "tanh":
        pairs = [("A^T A", T, A), ("A A^T", A, T), ("A A", A, A)]
    elif own == "sigmoid":
        pairs = [
            ("A (1 - A)", A, other),
            ("(1 - A) A", other, A),
            ("A^T (1 - A)", T, other),
            ("A (1 - A)^T", A, other.swapaxes(1, 2)),
        ]
    for text, left, right in pairs:
        if left.shape[2] == right.shape[1]:
            product = np.matmul(left, right)
            if product.shape[1:] in ((m, n), (n, m), (n, n), (m, m)):
                full = 1 - product if own == "tanh" else product
                if full.shape == S.shape:
                    yield text, full
                elif full.swapaxes(1, 2).shape == S.shape:
                    yield text, full.swapaxes(1, 2)


def dot_slopes(groups: Sequence[Group], own: str, k: int) -> Iterator[tuple[Op, Arrays]]:
    """Yield Gram matrices in place of squares."""
    texts = [t for t, _ in _products(groups[0].true.A[k + 1], groups[0].true.A[k + 1], own)]
    for i, text in enumerate(texts):

        def pick(g: Group, i: int = i) -> Array | None:
            a = g.true.A[k + 1]
            return next((p for j, (_, p) in enumerate(_products(a, a, own)) if j == i), None)

        made = _each(groups, pick)
        if made is not None:
            yield Op("dot_instead_of_elementwise", k, "delta", f"the slope uses {text}", 1.1), made


def product_deltas(U: Arrays, S: Arrays, k: int) -> Iterator[tuple[Op, Arrays]]:
    """Yield matrix products of dL/da and the slope, where shapes allow them."""
    forms: Sequence[tuple[str, Callable[[Array, Array], Array]]] = (
        ("dL/da f'", lambda u, s: np.matmul(u, s)),
        ("f' dL/da", lambda u, s: np.matmul(s, u)),
        ("dL/da f'^T", lambda u, s: np.matmul(u, s.swapaxes(1, 2))),
        ("f'^T dL/da", lambda u, s: np.matmul(s.swapaxes(1, 2), u)),
    )
    for text, form in forms:
        made = []
        for u, s in zip(U, S, strict=True):
            try:
                product = form(u, s)
            except ValueError:
                break
            if product.shape != u.shape:
                break
            made.append(product)
        if len(made) == len(U):
            yield Op("dot_instead_of_elementwise", k, "delta", f"the matrix product {text}"), made


# --- the output delta


def _loss_slopes(model: Model, groups: Sequence[Group]) -> Iterator[tuple[tuple[Op, ...], Arrays]]:
    """Yield dL/da of the author's loss, and of others."""
    last = len(model.layout.layers) - 1
    yield (), [g.true.G for g in groups]
    for name in ("squared_error", "binary_cross_entropy", "cross_entropy", "absolute_error"):
        if name == model.loss_name:
            continue
        made = _each(groups, lambda g, n=name: LOSSES[n].slope(g.true.A[-1], g.batch.Y) * g.factor)  # type: ignore[misc]
        if made is not None:
            op = Op("loss_gradient_mismatch", last, "delta", f"the delta of {name}", 1.05, True)
            yield (op,), made
    if model.rooted:
        made = _each(groups, lambda g: model.loss.slope(g.true.A[-1], g.batch.Y) * g.factor)
        if made is not None:
            note = "the delta of the loss without its root"
            yield (Op("loss_gradient_mismatch", last, "delta", note, 1.0, True),), made
    if groups[0].factor.size > 1:
        for over in (True, False):
            made = _each(
                groups,
                lambda g, o=over: (
                    model.loss.slope(  # type: ignore[misc]
                        g.true.A[-1], g.batch.Y
                    )
                    / (g.samples if o else 1)
                ),
            )
            if made is not None:
                note = "the weights of the classes are left out"
                yield (Op("loss_gradient_mismatch", last, "delta", note, 1.0, True),), made
    if model.loss_name == "binary_cross_entropy":
        made = _each(groups, _both_added)
        if made is not None:
            op = Op("sign_error", last, "delta", "-(y/a + (1-y)/(1-a)) for -y/a + (1-y)/(1-a)", 1.1)
            yield (op,), made


def _both_added(g: Group) -> Array:
    a, y = g.true.A[-1], g.batch.Y
    return np.asarray((-y / a - (1 - y) / (1 - a)) * g.factor)


def output_signals(model: Model, groups: Sequence[Group]) -> list[Signal]:
    """Return output deltas, the right one first, cheap ones before dear ones."""
    last = len(model.layout.layers) - 1
    found = [Signal([[g.true.D[-1] for g in groups]], [g.true.G for g in groups])]
    for ops, G in _loss_slopes(model, groups):
        right = [
            model.output.back(g.true.Z[-1], g.true.A[-1], d) for g, d in zip(groups, G, strict=True)
        ]
        if ops:
            found.append(Signal([right], G, ops))
        find = _softmax_deltas if model.output.unit is None else _unit_deltas
        found += [Signal([d], G, (*ops, op)) for op, d in find(model, groups, G, right, last)]
    found += _error_deltas(model, groups, last)
    if model.output.axis not in (None, "units"):
        op = Op(
            "softmax_wrong_axis",
            last,
            "delta",
            f"a - y, with a softmax over {model.output.axis}",
            1.0,
        )
        found.append(Signal([_error(groups)], [g.true.G for g in groups], (op,)))
    return sorted(found, key=lambda signal: signal.cost)


def _error(groups: Sequence[Group], factor: bool = True) -> Arrays:
    return [(g.true.A[-1] - g.batch.Y) * (g.factor if factor else 1.0) for g in groups]


def _softmax_deltas(
    model: Model, groups: Sequence[Group], G: Arrays, right: Arrays, last: int
) -> Iterator[tuple[Op, Arrays]]:
    diagonal = [g.true.A[-1] * (1 - g.true.A[-1]) for g in groups]
    yield Op("softmax_jacobian_missing", last, "delta", "dL/da is passed on as dL/dz"), G
    yield Op("missing_output_derivative", last, "delta", "dL/da is passed on as dL/dz", 1.1), G
    yield (Op("softmax_jacobian_diagonal", last, "delta", "dL/da a (1 - a)"), _times(G, diagonal))
    yield (
        Op("softmax_extra_derivative", last, "delta", "(a - y) a (1 - a)"),
        _times(right, diagonal),
    )
    yield (Op("upstream_discarded", last, "delta", "the slope replaces dL/da"), diagonal)
    variables = {"z": [g.true.Z[-1] for g in groups], "a": [g.true.A[-1] for g in groups]}
    for op, slope in slope_choices(groups, "softmax", last, variables):
        if op.note.startswith("the slope formula of sigmoid for a, taken at a"):
            continue
        yield (
            Op(op.word, last, "delta", op.note + ", on top of the right delta", op.cost + 0.2),
            _times(right, slope),
        )
        yield Op(op.word, last, "delta", op.note, op.cost + 0.2), _times(G, slope)


def _unit_deltas(
    model: Model, groups: Sequence[Group], G: Arrays, right: Arrays, last: int
) -> Iterator[tuple[Op, Arrays]]:
    own = model.output_name
    assert model.output.unit is not None
    unit = model.output.unit
    slope = [unit.slope_at_z(g.true.Z[-1]) for g in groups]
    variables = {
        "z": [g.true.Z[-1] for g in groups],
        "a": [g.true.A[-1] for g in groups],
        "the error": _error(groups, factor=False),
        "minus the error": [-e for e in _error(groups, factor=False)],
        "dL/da": G,
        "y": [g.batch.Y for g in groups],
    }
    yield Op("missing_output_derivative", last, "delta", "dL/da is passed on as dL/dz"), G
    yield Op("upstream_discarded", last, "delta", "the slope replaces dL/da"), slope
    for op, values in slope_choices(groups, own, last, variables):
        if own == "identity" and op.word == "derivative_at_wrong_variable":
            continue
        yield op, _times(G, values)
    yield (
        Op(
            "derivative_of_other_activation", last, "delta", "the slope is multiplied in twice", 1.3
        ),
        _times(right, slope),
    )
    yield from product_deltas(G, slope, last)
    yield from dot_output(groups, own, last, G)


def dot_output(
    groups: Sequence[Group], own: str, last: int, G: Arrays
) -> Iterator[tuple[Op, Arrays]]:
    """Yield Gram matrices for squares in the output's slope."""
    for op, slope in dot_slopes(groups, own, last):
        yield op, _times(G, slope)


def _error_deltas(model: Model, groups: Sequence[Group], last: int) -> list[Signal]:
    """Return deltas that are the slope formula of the error alone."""
    found = []
    if model.output.unit is None:
        names = ["sigmoid"]
    else:
        names = [model.output_name]
    for sign, text in ((1, "a - y"), (-1, "y - a")):
        for name in names:
            formula = SLOPES.get((name, "a"))
            if formula is None:
                continue
            e = [sign * x for x in _error(groups, factor=False)]
            d = [formula(x) for x in e]
            op = Op(
                "derivative_at_wrong_variable",
                last,
                "delta",
                f"the delta is the slope formula at {text} alone",
                1.1,
            )
            found.append(Signal([d], [g.true.G for g in groups], (op,)))
            scaled = [v * np.mean(g.factor) for v, g in zip(d, groups, strict=True)]
            found.append(Signal([scaled], [g.true.G for g in groups], (op,)))
    return found


# --- from the delta of a layer to that of the layer below


@dataclass(frozen=True)
class Above:
    """What the author has when going below layer `k + 1`: deltas, and what they were made of."""

    delta: Arrays
    pre: Arrays
    out_delta: Arrays
    out_pre: Arrays


def incoming(
    model: Model, groups: Sequence[Group], above: Above, k: int
) -> list[tuple[tuple[Op, ...], list[Arrays], tuple[float, ...]]]:
    """Return candidates for dL/da of layer k: what is wrong, and one or more arrays to combine."""
    top = k + 1 == len(model.layout.layers) - 1
    W = [g.batch.W[k + 1] for g in groups]
    back = _propagated(above.delta, W)
    found: list[tuple[tuple[Op, ...], list[Arrays], tuple[float, ...]]] = [((), [back], (1.0,))]

    def add(word: str, note: str, *arrays: Arrays | None, cost: float = 1.0) -> None:
        if all(a is not None for a in arrays):
            op = Op(word, k, "delta", note, cost)
            found.append(
                ((op,), [a for a in arrays if a is not None], (1.0, *[0.0] * (len(arrays) - 1)))
            )

    missing = "missing_output_derivative" if top else "missing_hidden_derivative"
    carried = "what is taken through the weights is dL/da of the layer above, without its slope"
    if not _same(above.pre, above.delta):
        add(missing, carried, _propagated(above.pre, W))
    width = groups[0].true.A[k + 1].shape[2]
    error = _error(groups)
    for values, text in (
        (above.delta, "the delta of the layer above"),
        (above.pre, "dL/da of the layer above"),
        (above.out_delta, "the output delta"),
        (above.out_pre, "dL/da"),
        (error, "the output error"),
    ):
        add("hidden_delta_skips_weights", f"{text} is used as it is", _widened(values, width))
    steps = [g.dW[k + 1] for g in groups]
    add(
        "weights_updated_before_backprop",
        "the weights above were stepped first",
        back,
        [-d for d in _propagated(above.delta, steps)],
    )
    add(
        "backprop_through_wrong_matrix",
        "taken through the gradient of the weights",
        _propagated(above.delta, steps),
    )
    for j in range(len(model.layout.layers)):
        for transposed in (True, False):
            if j == k + 1 and transposed:
                continue
            text = f"taken through W{j + 1}{' transposed' if not transposed else ''}"
            add(
                "backprop_through_wrong_matrix",
                text,
                _through(above.delta, [g.batch.W[j] for g in groups], transposed, width),
                cost=1.0 if j == k + 1 else 1.1,
            )
    return found


def _same(a: Arrays, b: Arrays) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def _propagated(delta: Arrays, W: Arrays) -> Arrays:
    return [np.matmul(d, w.swapaxes(1, 2)) for d, w in zip(delta, W, strict=True)]


def _through(delta: Arrays, W: Arrays, transposed: bool, width: int) -> Arrays | None:
    used = [w.swapaxes(1, 2) if transposed else w for w in W]
    if any(
        d.shape[2] != w.shape[1] or w.shape[2] != width for d, w in zip(delta, used, strict=True)
    ):
        return None
    return [np.matmul(d, w) for d, w in zip(delta, used, strict=True)]


def _widened(values: Arrays, width: int) -> Arrays | None:
    if all(v.shape[2] == width for v in values):
        return values
    if all(v.shape[2] == 1 for v in values):
        return [np.broadcast_to(v, (*v.shape[:2], width)) for v in values]
    return None


def hidden_signals(model: Model, groups: Sequence[Group], above: Above, k: int) -> Iterator[Signal]:
    """Yield deltas of a hidden layer, in no order."""
    own = model.hidden[k]
    right = [g.true.slopes[k] for g in groups]
    ways = incoming(model, groups, above, k)
    others = _other_slopes(model, groups, k)
    for ops, bases, expected in ways:
        yield Signal([_times(b, right) for b in bases], bases[0], ops, expected)
        for op, slope in others:
            yield Signal([_times(b, slope) for b in bases], bases[0], (*ops, op), expected)
        yield from _about_upstream(model, groups, ops, bases, expected, right, k)
    yield Signal(
        [right], ways[0][1][0], (Op("upstream_discarded", k, "delta", "the slope replaces dL/da"),)
    )
    for op, slope in others:
        if op.cost <= 1.1 and op.word != "missing_hidden_derivative":
            both = (Op("upstream_discarded", k, "delta", "the slope replaces dL/da"), op)
            yield Signal([slope], ways[0][1][0], both)
    back = ways[0][1][0]
    for op, product in product_deltas(back, right, k):
        yield Signal([product], back, (op,))
    if own.startswith(("relu", "leaky_relu")):
        on = [(g.true.Z[k] > 0) * model.masks.get(k, np.ones(1)) for g in groups]
        off = [(g.true.Z[k] <= 0) * model.masks.get(k, np.ones(1)) for g in groups]
        op = Op("leaky_slope_mismatch", k, "delta", "another slope on the negative side", 1.0)
        for ops, bases, expected in ways:
            if len(bases) == 1:
                leak = model.units[k].leak or 0.0
                yield Signal(
                    [_times(bases[0], on), _times(bases[0], off)], bases[0], (*ops, op), (1.0, leak)
                )


def _about_upstream(
    model: Model,
    groups: Sequence[Group],
    ops: tuple[Op, ...],
    bases: list[Arrays],
    expected: tuple[float, ...],
    right: Arrays,
    k: int,
) -> Iterator[Signal]:
    """Yield the slope taken at what comes in, which differs from candidate to candidate."""
    own = model.hidden[k]
    variables = {"dL/da": bases[0], "minus dL/da": [-b for b in bases[0]]}
    # Programs that divide by m last have m times as much here.
    whole = [b * g.samples for b, g in zip(bases[0], groups, strict=True)]
    variables |= {"m dL/da": whole, "minus m dL/da": [-w for w in whole]}
    width = right[0].shape[2]
    error = _widened(_error(groups, factor=False), width)
    if error is not None:
        variables |= {"the error": error, "minus the error": [-e for e in error]}
    for form in "za":
        formula = SLOPES.get((own, form))
        if formula is None:
            continue
        for text, values in variables.items():
            slope = _each_of(values, formula)
            if slope is not None:
                op = Op(
                    "derivative_at_wrong_variable", k, "delta", _formula_text(own, form, text), 1.1
                )
                yield Signal([_times(b, slope) for b in bases], bases[0], (*ops, op), expected)


def _other_slopes(model: Model, groups: Sequence[Group], k: int) -> list[tuple[Op, Arrays]]:
    own = model.hidden[k]
    shape = groups[0].true.Z[k].shape
    variables = {
        "z": [g.true.Z[k] for g in groups],
        "a": [model.units[k].value(g.true.Z[k]) for g in groups],
    }
    for j in range(len(model.layout.layers)):
        if j != k and groups[0].true.Z[j].shape == shape:
            variables[f"z{j + 1}"] = [g.true.Z[j] for g in groups]
            variables[f"a{j + 1}"] = [g.true.A[j + 1] for g in groups]
    if groups[0].batch.X.shape == shape:
        variables["x"] = [g.batch.X for g in groups]
    if k in model.masks:
        variables["a after dropout"] = [g.true.A[k + 1] for g in groups]
    ones = [np.ones_like(g.true.Z[k]) for g in groups]
    mask = model.masks.get(k)
    found: list[tuple[Op, Arrays]] = []
    if own != "identity":
        found.append((Op("missing_hidden_derivative", k, "delta", "dL/da is used as dL/dz"), ones))
        found += list(slope_choices(groups, own, k, variables))
        found += list(dot_slopes(groups, own, k))
    if mask is not None:
        found = [(op, [s * mask for s in slopes]) for op, slopes in found]
        bare = [model.units[k].slope_at_z(g.true.Z[k]) for g in groups]
        note = "the mask is not applied on the way back"
        found.append((Op("dropout_mask_missing", k, "delta", note), bare))
        if mask.max() != 1:
            kept = [s * mask.max() for s in bare]
            found.append((Op("dropout_mask_missing", k, "delta", note + ", its scale is"), kept))
        kept = [s * (mask != 0) for s in bare]
        note = "the mask is applied on the way back without its scale"
        found.append((Op("dropout_mask_missing", k, "delta", note, 1.05), kept))
    return found


# --- gradients of one layer from its delta


def weight_grads(
    model: Model, groups: Sequence[Group], delta: Arrays, pre: Arrays, k: int
) -> Iterator[tuple[Op, Arrays]]:
    """Yield wrong ways to make dW of layer k out of its delta."""
    right = outer([g.true.A[k] for g in groups], delta)
    n_in, n_out = right[0].shape[1:]
    if n_in == n_out:
        yield (
            Op("weight_grad_transposed", k, "W", "dW is transposed"),
            [d.swapaxes(1, 2) for d in right],
        )
    if not _same(pre, delta):
        last = k == len(model.layout.layers) - 1
        word = "missing_output_derivative" if last else "missing_hidden_derivative"
        yield (
            Op(word, k, "W", "dW is made of dL/da, without the slope"),
            outer([g.true.A[k] for g in groups], pre),
        )
    for word, text, values, cost in _operands(model, groups, k):
        if values[0].shape[1] == delta[0].shape[1] and values[0].shape[2] == n_in:
            made = outer(values, delta)
            yield Op(word, k, "W", f"dW takes {text} for a{k}", cost), made
            if n_in == n_out:
                also = Op("weight_grad_transposed", k, "W", "dW is transposed")
                yield (
                    Op(word, k, "W", f"dW takes {text} for a{k}", cost, also=also),
                    [d.swapaxes(1, 2) for d in made],
                )
    yield from _elementwise_grads(groups, delta, k)


def outer(a: Arrays, d: Arrays) -> Arrays:
    """Return `a^T d`, the sum over samples of outer products."""
    return [np.matmul(x.swapaxes(1, 2), y) for x, y in zip(a, d, strict=True)]


def _operands(
    model: Model, groups: Sequence[Group], k: int
) -> Iterator[tuple[str, str, Arrays, float]]:
    layers = len(model.layout.layers)
    if k:
        slope = [g.true.slopes[k - 1] for g in groups]
        yield "inplace_derivative_overwrites_cache", f"f'(z{k})", slope, 1.0
        for form, name in (("z", "a"), ("a", "z")):
            formula = SLOPES.get((model.hidden[k - 1], form))
            values = [(g.true.A[k] if name == "a" else g.true.Z[k - 1]) for g in groups]
            taken = formula and _each_of(values, formula)
            if taken:
                text = f"the slope formula for {form} at {name}{k}"
                yield "inplace_derivative_overwrites_cache", text, taken, 1.15
        yield "weight_grad_wrong_operand", f"z{k}", [g.true.Z[k - 1] for g in groups], 1.0
        yield (
            "weight_grad_wrong_operand",
            f"the delta of layer {k}",
            [g.true.D[k - 1] for g in groups],
            1.1,
        )
    for j in range(layers + 1):
        if j != k:
            text = "x" if j == 0 else f"a{j}"
            yield "weight_grad_wrong_activation", text, [g.true.A[j] for g in groups], 1.0
    for j in range(1, layers):
        if j != k:
            yield "weight_grad_wrong_operand", f"z{j}", [g.true.Z[j - 1] for g in groups], 1.2
    yield "weight_grad_wrong_operand", "y", [g.batch.Y for g in groups], 1.1
    yield "weight_grad_wrong_operand", "the error", _error(groups), 1.1
    for j, W in enumerate(zip(*[g.batch.W for g in groups], strict=True)):
        yield "weight_grad_wrong_operand", f"W{j + 1}", list(W), 1.0
        yield ("weight_grad_wrong_operand", f"W{j + 1}", [w.swapaxes(1, 2) for w in W], 1.0)
    yield "weight_grad_wrong_operand", "ones", [np.ones_like(g.true.A[k]) for g in groups], 1.1


def _elementwise_grads(
    groups: Sequence[Group], delta: Arrays, k: int
) -> Iterator[tuple[Op, Arrays]]:
    """Yield elementwise products where the formula is a matrix product."""
    a, (n_in, n_out) = [g.true.A[k] for g in groups], groups[0].dW[k].shape[1:]
    W = [g.batch.W[k] for g in groups]
    note = "dW is an elementwise product"
    for x, y in ((a, delta), ([v.swapaxes(1, 2) for v in a], delta)):
        try:
            product = [u * v for u, v in zip(x, y, strict=True)]
        except ValueError:
            continue
        if all(p.shape[1:] == (n_in, n_out) for p in product):
            yield Op("dot_instead_of_elementwise", k, "W", note, 1.1), product
        elif all(p.shape[1:] == (n_out, n_in) for p in product):
            yield (
                Op("dot_instead_of_elementwise", k, "W", note, 1.1),
                [p.swapaxes(1, 2) for p in product],
            )
    yield (
        Op("weight_grad_wrong_operand", k, "W", "the summed delta is multiplied with W"),
        [w * np.sum(d, axis=1, keepdims=True) for w, d in zip(W, delta, strict=True)],
    )
    right = outer(a, delta)
    yield (
        Op("weight_grad_wrong_operand", k, "W", "dW is multiplied with W", 1.1),
        _times(W, right),
    )


def bias_grads(
    model: Model, groups: Sequence[Group], delta: Arrays, pre: Arrays, k: int
) -> Iterator[tuple[Op, Arrays]]:
    """Yield wrong ways to make db of layer k, `(p, 1, n_out)`, out of its delta."""
    n = delta[0].shape[2]
    total = [np.sum(d, axis=(1, 2), keepdims=True) for d in delta]
    if n > 1:
        yield (
            Op("bias_grad_missing_axis", k, "b", "one sum over everything"),
            [np.broadcast_to(t, (len(t), 1, n)) for t in total],
        )
    if all(d.shape[1] == n for d in delta) and n > 1:
        yield (
            Op("bias_grad_wrong_axis", k, "b", "summed over units"),
            [np.sum(d, axis=2)[:, None, :] for d in delta],
        )
    wrong = "bias_grad_wrong_formula"
    yield Op(wrong, k, "b", "made of dL/da, without the slope"), [_summed(p) for p in pre]
    for text, values in _bias_operands(model, groups, delta, k):
        yield Op(wrong, k, "b", text), values
    for j in range(len(model.layout.layers)):
        d = [g.true.D[j] for g in groups]
        if j != k and d[0].shape[2] == n:
            yield Op(wrong, k, "b", f"made of the delta of layer {j + 1}"), [_summed(x) for x in d]
    for i, text in ((0, "first"), (-1, "last")):
        yield (
            Op(wrong, k, "b", f"the delta of the {text} sample alone"),
            [d[:, [i], :] for d in delta],
        )


def _summed(d: Array) -> Array:
    return np.asarray(np.sum(d, axis=1, keepdims=True))


def _bias_operands(
    model: Model, groups: Sequence[Group], delta: Arrays, k: int
) -> Iterator[tuple[str, Arrays]]:
    a = [g.true.A[k] for g in groups]
    right = outer(a, delta)
    yield (
        "multiplied with the inputs of the layer",
        [np.sum(d, axis=1, keepdims=True) for d in right],
    )
    yield (
        "multiplied with the mean of the inputs of the layer",
        [np.mean(d, axis=1, keepdims=True) for d in right],
    )
    hidden = k < len(model.units)
    b = [g.batch.b[k] for g in groups]
    unit = model.units[k] if hidden else model.output.unit
    sums = [_summed(d) for d in delta]
    values = [x for x in b if x is not None and x.shape[1] == 1]
    if len(values) != len(groups):
        return
    yield "multiplied with b", _times(values, sums)
    if unit is not None:
        yield "multiplied with the slope at b", _times([unit.slope_at_z(x) for x in values], sums)
        if unit.slope_at_a:
            yield (
                "multiplied with the slope formula at b",
                _times([unit.slope_at_a(x) for x in values], sums),
            )
    yield (
        "multiplied with z",
        [_summed(d * g.true.Z[k]) for d, g in zip(delta, groups, strict=True)],
    )
    yield (
        "multiplied with a",
        [_summed(d * g.true.A[k + 1]) for d, g in zip(delta, groups, strict=True)],
    )
