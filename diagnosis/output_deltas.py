"""Output deltas: a gradient of some loss, taken through some slope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from diagnosis.calls import Array
from diagnosis.formulas import SLOPES, UNITS
from diagnosis.groups import Group
from diagnosis.loss_gradients import loss_gradients
from diagnosis.model import Model
from diagnosis.operators import Arrays, Op, Signal, error_of, times
from diagnosis.taken_slopes import dot_slopes, product_deltas, slope_choices


def output_signals(model: Model, groups: Sequence[Group]) -> list[Signal]:
    """Return output deltas, the right one first, cheap ones before dear ones."""
    last = len(model.layout.layers) - 1
    found = [Signal([[g.true.D[-1] for g in groups]], [g.true.G for g in groups])]
    for ops, G in loss_gradients(model, groups):
        right = [
            model.output.back(g.true.Z[-1], g.true.A[-1], d) for g, d in zip(groups, G, strict=True)
        ]
        if ops:
            found.append(Signal([right], G, ops))
        find = _softmax_deltas if model.output.unit is None else _unit_deltas
        found += [Signal([d], G, (*ops, op)) for op, d in find(model, groups, G, right, last)]
    found += _error_deltas(model, groups, last)
    found += _of_one_sample(groups, last)
    if model.output.axis not in (None, "units"):
        op = Op(
            "softmax_wrong_axis",
            last,
            "delta",
            f"a - y, with a softmax over {model.output.axis}",
            1.0,
        )
        found.append(Signal([error_of(groups)], [g.true.G for g in groups], (op,)))
    return sorted(found, key=lambda signal: signal.cost)


def _of_one_sample(groups: Sequence[Group], last: int) -> Iterator[Signal]:
    """Yield the right delta of the last or the first sample, as a loop leaves it that assigns."""
    if any(group.samples < 2 for group in groups):
        return
    for i, which in ((-1, "last"), (0, "first")):
        for alone, text in ((True, ""), (False, ", divided by m")):
            op = Op(
                "unexplained", last, "delta", f"it is that of the {which} sample alone{text}", 1.1,
                cure="Add up what the samples give: one is kept, as where a loop says = for +=.",
            )  # fmt: skip
            pair = [
                [_only(array, i, alone=alone) for array in arrays]
                for arrays in ([g.true.D[-1] for g in groups], [g.true.G for g in groups])
            ]
            yield Signal([pair[0]], pair[1], (op,))


def _only(array: Array, i: int, *, alone: bool) -> Array:
    """Return `(p, m, n)` with one sample, its mean if it is alone, and 0 elsewhere."""
    kept = np.zeros_like(array)
    kept[:, i] = array[:, i] * (array.shape[1] if alone else 1)
    return kept


def _softmax_deltas(
    model: Model,
    groups: Sequence[Group],
    G: Arrays,
    right: Arrays,
    last: int,
) -> Iterator[tuple[Op, Arrays]]:
    diagonal = [g.true.A[-1] * (1 - g.true.A[-1]) for g in groups]
    yield Op("softmax_jacobian_missing", last, "delta", ""), G
    yield Op("missing_output_derivative", last, "delta", "dL/da is passed on as dL/dz", 1.1), G
    # Of the binary cross-entropy that is a - y, which people write of the other one.
    dearer = 1.1 if model.loss_name == "binary_cross_entropy" else 1.0
    op = Op("softmax_jacobian_diagonal", last, "delta", "dL/da a (1 - a)", dearer)
    yield op, times(G, diagonal)
    yield (
        Op("softmax_extra_derivative", last, "delta", "(a - y) a (1 - a)"),
        times(right, diagonal),
    )
    yield Op("upstream_discarded", last, "delta", ""), diagonal
    variables = {"z": [g.true.Z[-1] for g in groups], "a": [g.true.A[-1] for g in groups]}
    for op, slope in slope_choices("softmax", last, variables):
        if op.note.startswith("the slope formula of sigmoid for a, taken at a"):
            continue
        yield (
            Op(op.word, last, "delta", op.note + ", on top of the right delta", op.cost + 0.2),
            times(right, slope),
        )
        yield Op(op.word, last, "delta", op.note, op.cost + 0.2), times(G, slope)


def _unit_deltas(
    model: Model, groups: Sequence[Group], G: Arrays, right: Arrays, last: int
) -> Iterator[tuple[Op, Arrays]]:
    own = model.output_name
    unit = model.output.unit or UNITS["identity"]
    slope = [unit.slope_at_z(g.true.Z[-1]) for g in groups]
    variables = {
        "z": [g.true.Z[-1] for g in groups],
        "a": [g.true.A[-1] for g in groups],
        "the error": error_of(groups, factor=False),
        "minus the error": [-e for e in error_of(groups, factor=False)],
        "dL/da": G,
        "y": [g.batch.Y for g in groups],
    }
    yield Op("missing_output_derivative", last, "delta", "dL/da is passed on as dL/dz"), G
    yield Op("upstream_discarded", last, "delta", ""), slope
    for op, values in slope_choices(own, last, variables):
        if own == "identity" and op.word == "derivative_at_wrong_variable":
            continue
        yield op, times(G, values)
    yield (
        Op(
            "derivative_of_other_activation", last, "delta", "the slope is multiplied in twice", 1.3
        ),
        times(right, slope),
    )
    yield from product_deltas(G, slope, last)
    yield from dot_output(groups, own, last, G)


def dot_output(
    groups: Sequence[Group], own: str, last: int, G: Arrays
) -> Iterator[tuple[Op, Arrays]]:
    """Yield Gram matrices for squares in the output's slope."""
    for op, slope in dot_slopes(groups, own, last):
        yield op, times(G, slope)


def _error_deltas(model: Model, groups: Sequence[Group], last: int) -> list[Signal]:
    """Return deltas that are the slope formula of the error alone."""
    found = []
    names = ["sigmoid"] if model.output.unit is None else [model.output_name]
    for sign, text in ((1, "a - y"), (-1, "y - a")):
        for name in names:
            formula = SLOPES.get((name, "a"))
            if formula is None:
                continue
            e = [sign * x for x in error_of(groups, factor=False)]
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
