"""What can be said of a wrong gradient when no model fits: ratios, transposes, where it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from diagnosis.answer import Finding
from diagnosis.calls import Array, Point
from diagnosis.gradient import ArrayCheck, Slopes
from diagnosis.probing import part
from diagnosis.reasons import OF_A_BIAS
from diagnosis.subject import Subject

CLOSE = 1e-5
ADDS = 1e-9
UNFLIPPED = "In a convolution one of the ways forward and back flips the kernel; take care which."


def findings(
    subject: Subject,
    checks: Mapping[str, ArrayCheck],
    taken: Sequence[Slopes],
    grads: Sequence[Mapping[str, Array]],
) -> list[Finding]:
    """Name what one factor or a transpose explains; call the rest unexplained."""
    wrong = [name for name, check in checks.items() if check.wrong]
    whole = _one_ratio([check.ratio for check in checks.values()])
    named: dict[tuple[str, str], dict[str, str]] = {}
    for name in wrong:
        alone = not (whole or _as_a_weight(subject, name, checks)) and _is_bias(subject, name)
        word, note, cure = _one_fact(
            subject, name, checks[name], taken, grads, whole=whole, alone=alone
        )
        named.setdefault((word, cure), {})[name] = note
    found = []
    for (word, cure), notes in named.items():
        said = " ".join(f"{name}: {note}." for name, note in notes.items() if note)
        error = max(checks[name].error for name in notes)
        if word == "unexplained":
            said = f"{said} {_where(checks)}".strip()
        found.append(Finding(word, tuple(notes), "an unknown layer", error, said, repair=cure))
    return found


def _is_bias(subject: Subject, name: str) -> bool:
    array = subject.params[name]
    return array.ndim < 2 or 1 in array.shape


def _as_a_weight(subject: Subject, name: str, checks: Mapping[str, ArrayCheck]) -> bool:
    """Whether some weights are as many times what they should be: then it is no mistake of b's."""
    own = checks[name].ratio
    others = [c.ratio for n, c in checks.items() if not _is_bias(subject, n)]
    return own is not None and any(_one_ratio([own, ratio]) for ratio in others)


def _one_ratio(ratios: Sequence[float | None]) -> bool:
    """Whether all arrays are the same number of times what they should be."""
    known = [ratio for ratio in ratios if ratio is not None]
    return len(known) == len(ratios) and bool(np.ptp(known) <= CLOSE * abs(known[0]))


def _where(checks: Mapping[str, ArrayCheck]) -> str:
    right = [name for name, check in checks.items() if check.ok]
    if not right:
        return "All arrays are wrong: begin at the output, with the derivative of the loss."
    return f"{', '.join(right)} {'is' if len(right) == 1 else 'are'} right."


def _one_fact(
    subject: Subject,
    name: str,
    check: ArrayCheck,
    taken: Sequence[Slopes],
    grads: Sequence[Mapping[str, Array]],
    *,
    whole: bool,
    alone: bool,
) -> tuple[str, str, str]:
    """Return a word, what it says, and what mends it if the word does not."""
    if check.ratio == 0:
        return "unexplained", "it is 0 everywhere, and the gradient is not", ""
    if check.ratio is not None:
        samples = _samples(subject, taken[0].point)
        for factor, word, note, cure in _known_ratios(samples, alone, whole=whole):
            if abs(check.ratio - factor) <= CLOSE * abs(factor):
                return word, note, cure
        return "unexplained", f"it is {check.ratio:.6g} times the true gradient", ""
    if _turned(subject, name, taken, grads, np.transpose):
        return "weight_grad_transposed", "it is the transpose of the true gradient", ""
    for axis in range(subject.params[name].ndim):
        if _turned(subject, name, taken, grads, partial(np.flip, axis=axis)):
            along = f" along axis {axis}" if subject.params[name].ndim > 1 else ""
            return "unexplained", f"it is the true gradient in reverse order{along}", UNFLIPPED
    return "unexplained", "", ""


def _samples(subject: Subject, point: Point) -> Sequence[int]:
    """Return what may be the number of samples: what X and Y have in common, or all of X."""
    shape = np.shape(subject.X)
    common = sorted(set(shape) & set(np.shape(subject.Y)))
    if len(common) < 2 or len(shape) != 2:
        return common or shape
    # A sequence for each sample, as long as the target's: the loss adds up over samples.
    adding = [
        m
        for rows, m in zip((True, False), shape, strict=True)
        if m in common and _adds_up(subject, point, m, rows=rows)
    ]
    return adding or common


def _adds_up(subject: Subject, point: Point, m: int, *, rows: bool) -> bool:
    """Whether the loss is the sum, or the mean, of what it is on two halves of the samples."""
    first = m // 2
    halves = [part(point, rows, range(first)), part(point, rows, range(first, m))]
    one, other, whole = subject.losses([*halves, point])
    return any(
        abs(joined - whole) <= ADDS * abs(whole)
        for joined in (one + other, (first * one + (m - first) * other) / m)
    )


def _known_ratios(
    samples: Sequence[int], bias: bool, *, whole: bool
) -> list[tuple[float, str, str, str]]:
    known = [(-1.0, "sign_error", "it is minus the true gradient", "")]
    if whole:  # of one array alone, a two does not come from the loss
        known += [
            (2.0, "loss_gradient_mismatch", "it is twice the true gradient", ""),
            (0.5, "loss_gradient_mismatch", "it is half of the true gradient", ""),
        ]
    for m in (float(s) for s in samples if s > 2):
        many = "bias_grad_mean_instead_of_sum" if bias else "missing_batch_mean"
        few = "bias_grad_mean_instead_of_sum" if bias else "extra_batch_mean"
        known += [
            (
                m,
                many,
                f"it is {m:g} times the true gradient",
                OF_A_BIAS[None, True][1] if bias else "",
            ),
            (
                1 / m,
                few,
                f"it is 1/{m:g} of the true gradient",
                OF_A_BIAS[None, False][1] if bias else "",
            ),
        ]
    return known


def _turned(
    subject: Subject,
    name: str,
    taken: Sequence[Slopes],
    grads: Sequence[Mapping[str, Array]],
    turn: Callable[[Array], Array],
) -> bool:
    """Whether the author's gradient, its entries put elsewhere, is the true one."""
    like = subject.params[name]
    places = np.arange(like.size).reshape(like.shape)
    if turn(places).shape != like.shape or np.array_equal(turn(places), places):
        return False
    full = [(t, g) for t, g in zip(taken, grads, strict=True) if len(t.entries[name]) == like.size]
    return bool(full) and all(
        np.allclose(
            turn(np.asarray(g[name], float)).reshape(-1),
            t.found[name][0],
            rtol=1e-5,
            atol=1e-7 * np.max(np.abs(t.found[name][0])),
        )
        for t, g in full
    )
