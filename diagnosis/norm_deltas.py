"""Deltas taken through a batch norm, in full or without one of its paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnosis.groups import Group
from diagnosis.model import Model
from diagnosis.operators import Op, Signal


def through_norm(model: Model, groups: Sequence[Group], k: int, signal: Signal) -> Signal:
    """Take a signal through a layer's batch norm, if it has one."""
    wrong = any(op.word == "batchnorm_backward_wrong" for op in signal.ops)
    if k not in model.norms or wrong:
        return signal
    through = [
        [
            model.through_norm(k, s, g.batch, g.true.linear)
            for s, g in zip(basis, groups, strict=True)
        ]
        for basis in signal.bases
    ]
    return replace(signal, bases=through)


def without_paths(
    model: Model, groups: Sequence[Group], k: int, signals: Sequence[Signal]
) -> list[Signal]:
    """Return signals that miss a path of the batch norm, for those that are cheap."""
    made = []
    for signal in signals:
        if signal.cost > 1 or len(signal.bases) > 1:
            continue
        paths = [
            model.norm_paths(k, s, g.batch, g.true.linear)
            for s, g in zip(signal.bases[0], groups, strict=True)
        ]
        op = Op("batchnorm_backward_wrong", k, "delta", "")
        made.append(
            Signal(
                [list(path) for path in zip(*paths, strict=True)],
                signal.pre,
                (*signal.ops, op),
                (1.0, 1.0, 1.0),
            )
        )
    return made
