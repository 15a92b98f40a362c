"""What a constant factor comes from: an m too many or too few, a sign, a width, a mean of all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from diagnosis.matching import Match
from diagnosis.operators import Op

CLOSE = 2e-6
NEXT = 3
TWO = ((2.0, "twice"), (0.5, "half of"))
ONE_NUMBER = "bias_grad_missing_axis"
CONSTANT = {
    "delta": "Look for a constant in the slope of this layer, or where its delta is computed.",
    "W": "Look for a constant where the gradient of these weights is computed.",
}
OF_ALL = (
    "Look for a constant that all of the gradient is multiplied with. The learning rate, and a "
    "share of earlier gradients, belong to the step."
)
Factor = tuple[float, ...]


def is_close(factor: Factor, values: Sequence[float]) -> bool:
    """Whether a factor is this one for each number of samples."""
    return all(
        abs(f - v) <= CLOSE * max(abs(v), 1e-12) for f, v in zip(factor, values, strict=True)
    )


def is_one(factor: Factor) -> bool:
    """Whether nothing is scaled."""
    return is_close(factor, [1.0] * len(factor))


class Reason(NamedTuple):
    """Why an array or a delta has a factor: the word, what is done, the cost, and the cure.

    `written_in` is set where the factor is 1 with the author's number of samples: a number written
    into the program, which is right for the author's data. `steady` is set where it is a constant
    that nothing in the network gives, the same with any number of samples.
    """

    word: str
    note: str
    cost: float
    cure: str = ""
    written_in: bool = False
    steady: bool = False


def named(
    factor: Factor,
    samples: Sequence[int],
    widths: Sequence[int],
    averaged: bool | None,
    place: str,
    *,
    inner: bool = False,
) -> Iterator[Reason]:
    """Yield the reasons of a factor; several where it is a product.

    Args:
        factor: for each number of samples.
        samples: these numbers.
        widths: of the layers.
        averaged: whether the loss is a mean over samples; None where that is not known.
        place: "delta", "W" or "b".
        inner: whether the layer is a hidden one.
    """
    if all(f < 0 for f in factor):
        yield Reason("sign_error", "", 1.0)
        factor = tuple(-f for f in factor)
        if is_one(factor):
            return
    m = [float(s) for s in samples]
    if len(m) > 1 and is_one(factor[:1]):
        note = f"made for {samples[0]} samples, whatever number it is handed"
        yield Reason("wrong_batch_size", note, _cost(place), written_in=True)
        return
    found = (
        _m_or_two(factor, m, averaged, place)
        or _a_divisor(factor, m, widths, place)
        or _m_and_two(factor, m, averaged, place, inner=inner)
        or _any(factor, place)
    )
    if inner and place != "b" and is_close(factor, factor[:1] * len(m)) and not _of_m(found):
        found = [_told(factor[0], place, max(reason.cost for reason in found))]
    yield from found


def _of_m(found: Sequence[Reason]) -> bool:
    return any(reason.word.endswith("batch_mean") for reason in found)


def _told(factor: float, place: str, cost: float) -> Reason:
    """Say no more than the number: a constant in a hidden layer is of no loss and no mean."""
    what = "what comes from the layer above" if place == "delta" else "the right one"
    return Reason("unexplained", f"{factor:.6g} times {what}", cost, CONSTANT.get(place, ""))


def _cost(place: str) -> float:
    # A factor on dW alone is less likely than one on db alone.
    return 1.05 if place == "W" else 1.0


def _m_or_two(
    factor: Factor, m: Sequence[float], averaged: bool | None, place: str
) -> list[Reason]:
    times_m = _times_m(factor, m, averaged, place)
    if times_m:
        return [times_m]
    word = "bias_grad_wrong_formula" if place == "b" else "loss_gradient_mismatch"
    return [
        Reason(word, f"{text} the right one", _cost(place) + 0.1)
        for two, text in TWO
        if is_close(factor, [two] * len(m))
    ]


def _m_and_two(
    factor: Factor, m: Sequence[float], averaged: bool | None, place: str, *, inner: bool
) -> list[Reason]:
    for two, text in TWO:
        times_m = _times_m(tuple(f / two for f in factor), m, averaged, place)
        if times_m and inner and place == "delta":
            note = "2 m times the right one"
            if two < 1:
                note = "m/2 times the right one, as if the error came without the 2/m of the loss"
            return [times_m._replace(note=note)]
        if times_m:
            word = "bias_grad_wrong_formula" if place == "b" else "loss_gradient_mismatch"
            return [times_m, Reason(word, f"{text} the right one besides", _cost(place))]
    return []


def _a_divisor(
    factor: Factor, m: Sequence[float], widths: Sequence[int], place: str
) -> list[Reason]:
    divided = _divided(factor, m, widths)
    word = "bias_grad_wrong_formula" if place == "b" else "wrong_batch_size"
    return [Reason(word, divided, _cost(place))] if divided else []


def _any(factor: Factor, place: str) -> list[Reason]:
    note = f"{factor[0]:.6g} times the right one"
    if place == "b":
        return [Reason("bias_grad_wrong_formula", note, 1.3)]
    for base in (2, 10):
        if is_close(factor, [math.log(base)] * len(factor)):
            note = f"ln {base} times the right one, so the loss takes logarithms to base {base}"
            return [Reason("loss_gradient_mismatch", note, 1.3)]
    steady = len(factor) > 1 and is_close(factor, factor[:1] * len(factor))
    return [Reason("unexplained", note, 2.0, OF_ALL if place == "delta" else "", steady=steady)]


# Of a bias: whether the loss is a mean (None: not known), and whether db is too large by m, to what
# is done and what mends it.
OF_A_BIAS: Mapping[tuple[bool | None, bool], tuple[str, str]] = MappingProxyType({
    (True, True): (
        "the 1/m of the loss is left out",
        "Divide the sum of delta by m, once, as the loss does."),
    (True, False): (
        "divided by m once more than the loss",
        "Sum delta over samples if it holds the 1/m already; else take its mean."),
    (False, True): (
        "m times the right one, and the loss is a sum",
        "Sum delta over samples, without a factor of m."),
    (False, False): (
        "a mean over samples, and the loss is a sum",
        "Sum delta over samples where the mean is taken."),
    (None, True): ("m times the right one", "Divide the gradient of the bias by m."),
    (None, False): ("1/m of the right one", "Sum delta over samples where the mean is taken."),
})  # fmt: skip


def _times_m(
    factor: Factor, m: Sequence[float], averaged: bool | None, place: str
) -> Reason | None:
    for values, large in ((m, True), ([1 / s for s in m], False)):
        if not is_close(factor, values):
            continue
        if place == "b":
            note, cure = OF_A_BIAS[averaged, large]
            return Reason("bias_grad_mean_instead_of_sum", note, _cost(place), cure)
        if large:
            note = "" if averaged else "m times the right one"
            return Reason("missing_batch_mean", note, _cost(place))
        return Reason("extra_batch_mean", "", _cost(place))
    return None


def _divided(factor: Factor, m: Sequence[float], widths: Sequence[int]) -> str | None:
    """Say what else than m a factor comes from dividing by; None if nothing is known."""
    for width in sorted({*widths, *(w + 1 for w in widths if w > 1)} - {1}):
        inputs = width in widths and not widths.index(width)
        what = "the number of inputs" if inputs else "a number of units"
        for value, text in (
            ([s / width for s in m], f"divided by {width}, {what}, for m"),
            ([1 / width] * len(m), f"divided by {width}, {what}, besides"),
            ([float(width)] * len(m), f"{width} times the right one, {what}"),
        ):
            if is_close(factor, value):
                return text
    divisors = [s / f for s, f in zip(m, factor, strict=True)]
    one = is_close(tuple(divisors), [divisors[0]] * len(m)) and not is_close((divisors[0],), [2.0])
    if len(m) > 1 and one and divisors[0] > 1:
        return f"divided by {divisors[0]:.6g} for the number of samples"
    shifts = [round(d - s) for d, s in zip(divisors, m, strict=True)]
    if (
        0 < abs(shifts[0]) <= NEXT
        and len(set(shifts)) == 1
        and is_close(tuple(divisors), [s + shifts[0] for s in m])
    ):
        return f"divided by m {shifts[0]:+d}"
    if len(m) == 1 and round(divisors[0]) > 1 and is_close((divisors[0],), [round(divisors[0])]):
        return f"divided by {round(divisors[0])} for the number of samples"
    return None


def mean_of_all(
    found: Match | None, factor: Factor, samples: Sequence[int], units: int
) -> Op | None:
    """Return a db that is one number for all units as a mean, if its factor makes it one."""
    if found is None or found.op is None or found.op.word != ONE_NUMBER:
        return None
    note = "it is a mean without an axis"
    # A delta that is not divided by m yet has m times the sum of one that is.
    if is_close(factor, [1 / units] * len(samples)):
        return replace(found.op, note=note)
    if is_close(factor, [1 / units / m for m in samples]):
        cure = "Sum over the axis of the samples alone; a mean would divide by m besides."
        return replace(found.op, note=note, cure=cure)
    return None
