"""From the delta of a layer to that of the layer below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.formulas import SLOPES
from diagnosis.groups import Group
from diagnosis.model import Model
from diagnosis.operators import Arrays, Op, Signal, each_of, error_of, same, times
from diagnosis.taken_slopes import (
    dot_slopes,
    formula_text,
    product_deltas,
    slope_choices,
    typed_slopes,
)


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
    back = _propagated(above.delta, [g.batch.W[k + 1] for g in groups])
    steps = _propagated(above.delta, [g.dW[k + 1] for g in groups])
    stepped = Op(
        "weights_updated_before_backprop", k, "delta", "the weights above were stepped first"
    )
    found: list[tuple[tuple[Op, ...], list[Arrays], tuple[float, ...]]] = [((), [back], (1.0,))]
    found += [((op,), [a], (1.0,)) for op, a in _without_slope(model, groups, above, k)]
    found += [((op,), [a], (1.0,)) for op, a in _without_weights(groups, above, k)]
    found.append(((stepped,), [back, [-d for d in steps]], (1.0, 0.0)))
    found += [((op,), [a], (1.0,)) for op, a in _by_other_matrices(model, groups, above, steps, k)]
    return found


def _without_slope(
    model: Model, groups: Sequence[Group], above: Above, k: int
) -> Iterator[tuple[Op, Arrays]]:
    if same(above.pre, above.delta):
        return
    top = k + 1 == len(model.layout.layers) - 1
    word = "missing_output_derivative" if top else "missing_hidden_derivative"
    note = "what is taken through the weights is dL/da of the layer above, without its slope"
    cure = (
        "Take the delta of the layer above through its weights: the error times the slope there, "
        "not the error alone."
    )
    op = Op(word, k, "delta", note, cure=cure)
    yield op, _propagated(above.pre, [g.batch.W[k + 1] for g in groups])


def _without_weights(groups: Sequence[Group], above: Above, k: int) -> Iterator[tuple[Op, Arrays]]:
    width = groups[0].true.A[k + 1].shape[2]
    for values, text in (
        (above.delta, "the delta of the layer above"),
        (above.pre, "dL/da of the layer above"),
        (above.out_delta, "the output delta"),
        (above.out_pre, "dL/da"),
        (error_of(groups), "the output error"),
    ):
        made = _widened(values, width)
        if made is not None:
            note = f"{text} is used as it is"
            yield Op("hidden_delta_skips_weights", k, "delta", note), made


def _by_other_matrices(
    model: Model, groups: Sequence[Group], above: Above, steps: Arrays, k: int
) -> Iterator[tuple[Op, Arrays]]:
    word = "backprop_through_wrong_matrix"
    yield Op(word, k, "delta", "taken through the gradient of the weights"), steps
    width = groups[0].true.A[k + 1].shape[2]
    for j in range(len(model.layout.layers)):
        for transposed in (True, False):
            if j == k + 1 and transposed:
                continue
            made = _through(above.delta, [g.batch.W[j] for g in groups], transposed, width)
            if made is not None:
                note = f"taken through W{j + 1}{' transposed' if not transposed else ''}"
                yield Op(word, k, "delta", note, 1.0 if j == k + 1 else 1.1), made


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
        yield Signal([times(b, right) for b in bases], bases[0], ops, expected)
        for op, slope in others:
            yield Signal([times(b, slope) for b in bases], bases[0], (*ops, op), expected)
        yield from _about_upstream(model, groups, ops, bases, expected, right, k)
    yield Signal([right], ways[0][1][0], (Op("upstream_discarded", k, "delta", ""),))
    for op, slope in others:
        if op.cost <= 1.1 and op.word != "missing_hidden_derivative":
            both = (Op("upstream_discarded", k, "delta", ""), op)
            yield Signal([slope], ways[0][1][0], both)
    back = ways[0][1][0]
    for op, product in product_deltas(back, right, k):
        yield Signal([product], back, (op,))
    if own.startswith(("relu", "leaky_relu")):
        on = [(g.true.Z[k] > 0) * model.masks.get(k, np.ones(1)) for g in groups]
        off = [(g.true.Z[k] <= 0) * model.masks.get(k, np.ones(1)) for g in groups]
        op = Op("leaky_slope_mismatch", k, "delta", "another slope on the negative side", 1.0)
        for ops, bases, _ in ways:
            if len(bases) == 1:
                leak = model.units[k].leak or 0.0
                yield Signal(
                    [times(bases[0], on), times(bases[0], off)], bases[0], (*ops, op), (1.0, leak)
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
    error = _widened(error_of(groups, factor=False), width)
    if error is not None:
        variables |= {"the error": error, "minus the error": [-e for e in error]}
    for form in "za":
        formula = SLOPES.get((own, form))
        if formula is None:
            continue
        for text, values in variables.items():
            slope = each_of(values, formula)
            if slope is not None:
                op = Op(
                    "derivative_at_wrong_variable", k, "delta", formula_text(own, form, text), 1.1
                )
                yield Signal([times(b, slope) for b in bases], bases[0], (*ops, op), expected)


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
        found.append((Op("missing_hidden_derivative", k, "delta", ""), ones))
        found += list(slope_choices(own, k, variables))
        found += list(dot_slopes(groups, own, k))
        found += list(typed_slopes(own, k, variables["a"]))
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
