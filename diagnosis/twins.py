"""Mistakes of copying that give the numbers of another mistake: who did it, by watching.

An activation written over `z` equals a slope taken at `a`; an error that shares memory with the
output equals a slope taken at the error. The best explanation alone is looked at, with a tracer
that sees arrays being overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from diagnosis.calls import Array
from diagnosis.factors import Explained
from diagnosis.groups import Group
from diagnosis.model import Model
from diagnosis.operators import Op
from diagnosis.subject import Subject

COPY_OF = {
    "derivative_at_activation": "inplace_activation_overwrites_cache",
    "derivative_at_wrong_variable": "error_aliases_output",
    "inplace_derivative_overwrites_cache": "inplace_derivative_overwrites_cache",
}
LESS = 0.1
FORMULA_OF = {"inplace_derivative_overwrites_cache": "weight_grad_wrong_operand"}


def settled(
    subject: Subject, model: Model, explained: Sequence[Explained], groups: Sequence[Group]
) -> list[Explained]:
    """Return the explanations with the words of the first decided by what was overwritten."""
    best, *rest = explained
    if not {op.word for op in best.ops} & set(COPY_OF):
        return list(explained)
    group = groups[0]
    writes = subject.trace(group.points[0])["writes"]
    ops = tuple(_decided(op, model, group, writes) for op in best.ops)
    other = tuple(_other(op, done) for op, done in zip(best.ops, ops, strict=True))
    return [replace(best, ops=ops), replace(best, ops=other, cost=best.cost + LESS), *rest]


def _other(op: Op, decided: Op) -> Op:
    """Return the twin that was not chosen."""
    copying = COPY_OF.get(op.word)
    if copying is None or (copying == "error_aliases_output" and "error" not in op.note):
        return op
    formula = FORMULA_OF.get(op.word, op.word)
    word = formula if decided.word == copying else copying
    seen = "an" if word == formula else "no"
    return replace(op, word=word, note=f"{seen} array was seen written over")


def _decided(op: Op, model: Model, group: Group, writes: Sequence[Mapping[str, Any]]) -> Op:
    if op.word not in COPY_OF:
        return op
    write = next((w for w in writes if _shows(op, model, group, w)), None)
    if write is not None:
        note = f"line {write['line']} writes over {write['name']}, which is read later"
        return replace(op, word=COPY_OF[op.word], note=f"{op.note}: {note}")
    return replace(op, word=FORMULA_OF.get(op.word, op.word))


def _shows(op: Op, model: Model, group: Group, write: Mapping[str, Any]) -> bool:
    """Whether a write turns the array this mistake is about into the one it is read as."""
    k, true = op.layer, group.true
    before, after = write["before"], write["after"]
    last = len(model.layout.layers) - 1
    if op.word == "derivative_at_activation":
        return (
            _equal(before, true.Z[k][0])
            and not _equal(after, true.Z[k][0])
            and (
                _equal(after, true.A[k + 1][0])
                or (k < last and _equal(after, model.units[k].value(true.Z[k][0])))
            )
        )
    if op.word == "derivative_at_wrong_variable":
        error = true.A[-1][0] - group.batch.Y[0]
        return _equal(before, true.A[-1][0]) and (_equal(after, error) or _equal(after, -error))
    own = [true.A[k][0] if op.part == "W" else true.A[k + 1][0]]
    own += [true.Z[k - 1][0] if op.part == "W" else true.Z[k][0]]
    return any(_equal(before, a) and not _equal(after, a) for a in own)


def _equal(seen: Array, known: Array) -> bool:
    """Whether an array of the program is one of the model, transposed or not."""
    seen = np.asarray(seen, float)
    for form in (known, known.T, known.reshape(-1) if 1 in known.shape else known):
        if seen.shape == form.shape:
            scale = max(float(np.max(np.abs(form))), 1e-12)
            if np.allclose(seen, form, rtol=0, atol=1e-9 * scale):
                return True
    return False
