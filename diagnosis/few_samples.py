"""A part of the samples stands for all of them, where the loss of all takes long.

A gradient is right or wrong on a part of the data as on all of it, unless the program holds a
number of samples, or arrays of their length, from elsewhere. So derivatives along the author's
gradients are compared on both first.
"""

from __future__ import annotations

import itertools
import math
import operator
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from diagnosis.calls import Array, Point, flat
from diagnosis.errors import CallFailed
from diagnosis.model import Model, read
from diagnosis.probing import Probes
from diagnosis.subject import Subject

# Seconds; a diagnosis asks for a thousand losses and more.
LONG = 0.002
# Primes, as a factor of one is hardly taken for another number of the network.
COUNTS = (53, 59, 61, 67)
# Of fewer than some times as many, all are looked at; losses that are timed.
WORTH, REPEATED = 3, 2
ADVICE = (
    "one loss of your program takes long, and no part of its samples can stand for all; hand over "
    "a few dozen as X and Y for a quicker look, at more entries"
)
# What people multiply a gradient with: powers of the number of samples, and twos.
POWERS, PLAIN = (-2, -1, 1, 2), (0.5, 1.0, 2.0)
# Of the size of an array: far above rounding, and with few kinks on the way.
STEP = 1e-5
AGREE = 1e-3
# Two steps tell how exact a ratio is: it is taken for another where they leave no doubt, and for
# the same within a thousandth, whatever kinks do to it. What the loss adds in a logarithm is some
# millionths of either, and not the same. A hundredth of doubt is rounding, not kinks.
SURE, DOUBTS, LIKE, ROUGH = 2e-6, 30, 1e-5, 1e-2


class Ratio(NamedTuple):
    """A ratio, and how far it may be off."""

    value: float
    doubt: float

    @property
    def tells_nothing(self) -> bool:
        """Whether rounding of the loss leaves too little of it."""
        return not self.doubt <= ROUGH * max(abs(self.value), 1.0)

    def near(self, other: float) -> bool:
        """Whether it is this number."""
        within = min(max(DOUBTS * self.doubt, SURE), AGREE)
        return math.isclose(self.value, other, rel_tol=within)

    def as_right_as(self, other: Ratio) -> bool:
        """Whether both are one, or neither, to within what both can tell; or they are the same."""
        doubt = max(self.doubt, other.doubt)
        mine, its = (Ratio(ratio.value, doubt).near(1.0) for ratio in (self, other))
        return mine == its or math.isclose(self.value, other.value, rel_tol=LIKE)

    def times(self, scale: float) -> Ratio:
        """Return the ratio of a gradient divided by a scale."""
        return Ratio(scale * self.value, scale * self.doubt)


class Part(NamedTuple):
    """A subject with a part of its samples.

    Attributes:
        subject: the subject with that part as its data.
        samples, of: how many samples, and of how many.
        along: the axes of X and Y along which samples lie.
    """

    subject: Subject
    samples: int
    of: int
    along: tuple[int, int]

    def on_all(self, model: Model, subject: Subject) -> Model | None:
        """Return a model of the part as one of all samples; None where its loss is another one."""
        if model.masks:
            return None
        own = float(subject.losses([subject.start])[0])
        batch = read(model.layout, [subject.start])
        off = [(abs(float(m.value(batch)[0]) - own), m) for m in self._enlarged(model)]
        known = [pair for pair in off if math.isfinite(pair[0])]
        if not known:
            # Nothing is known of a loss that is no number at the start: it is the mean, or the sum.
            return off[0][1] if len(model.factors) > 1 else None
        nearest, whole = min(known, key=operator.itemgetter(0))
        return whole if nearest <= AGREE * abs(own) else None

    def as_if_on_all(self, model: Model) -> Model:
        """Return a model of the part with the factor it would likely have on all, to be named."""
        return next(self._enlarged(model))

    def _enlarged(self, model: Model) -> Iterator[Model]:
        """Yield the model with the factors, and the penalties, that it may have on all samples."""
        share = self.samples / self.of
        one = next(iter(model.factors.values()))
        for factor, by in itertools.product(_in_order(model, share), (1.0, share)):
            penalties = tuple(replace(p, factor=by * p.factor) for p in model.penalties)
            yield model.with_(factors={self.of: factor * one, **model.factors}, penalties=penalties)

    @property
    def sentence(self) -> str:
        """What a reader should know."""
        return (
            f"the loss of all {self.of} samples takes long, so the gradient was looked at on "
            f"{self.samples} of them, evenly spread, and factors are those of that part; "
            "derivatives along it were compared on all"
        )


def takes_long(subject: Subject) -> bool:
    """Whether there are many samples, and the loss of all takes long."""
    return any(True for _ in _sample_axes(subject)) and _seconds(subject) >= LONG


def _seconds(subject: Subject) -> float:
    """Return how long a loss takes, without what it takes to ask for the first."""
    taken = []
    for count in (1, 1 + REPEATED) * 2:
        begin = time.monotonic()
        subject.losses([subject.start] * count)
        taken.append(time.monotonic() - begin)
    return (min(taken[1::2]) - min(taken[::2])) / REPEATED


def part_of(subject: Subject) -> Part | None:
    """Return the subject with fewer samples.

    None where it takes no fewer, or is something else on all of them.
    """
    for along in _sample_axes(subject):
        made = _with_few(subject, along)
        scaled = made and _standing_for(made, subject)
        if scaled is not None:
            return scaled
    return None


def _in_order(model: Model, share: float) -> tuple[float, ...]:
    """Return what a factor may be times on all samples, in a mean or a sum; the likelier first."""
    if len(model.factors) < 2:
        return share, 1.0
    one, other = list(model.factors.values())[:2]
    return (1.0, share) if np.allclose(one, other, rtol=AGREE, atol=0) else (share, 1.0)


def _sample_axes(subject: Subject) -> Iterator[tuple[int, int]]:
    """Yield axes of X and of Y that are equally long, and long enough."""
    X, Y = np.shape(subject.X), np.shape(subject.Y)
    for x, y in itertools.product((0, -1), repeat=2):
        if X and Y and X[x] == Y[y] > WORTH * max(COUNTS):
            yield x, y


def _with_few(subject: Subject, along: tuple[int, int]) -> Part | None:
    of = np.shape(subject.X)[along[0]]
    lengths = {n for a in subject.params.values() for n in np.shape(a)}
    lengths.update(*(np.shape(a) for a in (subject.X, subject.Y)))
    count = next((n for n in COUNTS if n not in lengths), None)
    if count is None:
        return None
    chosen = np.linspace(0, of - 1, count).round().astype(int)
    other = subject.with_(
        X=np.take(subject.X, chosen, axis=along[0]), Y=np.take(subject.Y, chosen, axis=along[1])
    )
    return Part(other, count, of, along) if _usable(other) else None


def _usable(subject: Subject) -> bool:
    loss = subject.losses([subject.start])[0]
    return bool(np.isfinite(loss)) and subject.try_grads(subject.start) is not None


def _standing_for(part: Part, subject: Subject) -> Part | None:
    """Return the part as it stands for all; None where arrays right on one are wrong on the other.

    A program whose gradients are divided by a number of samples written in, or whose loss is, has
    all of them times that share on a part: there they are scaled back.
    """
    few = part.subject
    probes = Probes(few, np.random.default_rng(0))
    if any(probes.unused.values()):
        return None
    point = probes.point(inputs=False)
    try:
        here = _ratios(few, point)
        there = _ratios(subject, point._replace(X=subject.X, Y=subject.Y))
        if any(ratio.tells_nothing for ratio in (*here.values(), *there.values())):
            return None
        scale = _scale(here, there, part)
        # What is right on one alone is something else on the other: on all rows, of which the first
        # thousand are used, no array is right that is on a part.
        if scale is None and not any(map(_is_one, [*here.values(), *there.values()])):
            scale = 1.0 if _adds_up(part, subject, point) else None
    except CallFailed:
        return None
    if scale is None:
        return None
    return part if scale == 1 else part._replace(subject=_scaled(few, scale))


def _scale(here: Mapping[str, Ratio], there: Mapping[str, Ratio], part: Part) -> float | None:
    """Return what makes gradients of the part those that stand for all; None if nothing is seen to.

    Args:
        here: ratios of the part.
        there: ratios of all.
        part: which part.
    """
    if any(map(_is_one, there.values())):
        share = part.samples / part.of
        for scale in (1.0, share, 1 / share):
            if all(ratio.times(1 / scale).as_right_as(there[n]) for n, ratio in here.items()):
                return scale
        return None
    first, last = next(iter(here.values())).value, next(iter(there.values())).value
    # They are wrong whatever is taken, so that a thousandth is near enough.
    one = all(_near(r.value, first) for r in here.values()) and all(
        _near(r.value, last) for r in there.values()
    )
    return 1.0 if one and _same_factor(first, last, part) else None


def _same_factor(first: float, last: float, part: Part) -> bool:
    """Whether two factors are one number, or one power of the number of samples and no other."""
    if _near(first, last):
        return True
    constants = [(first / part.samples**k, last / part.of**k) for k in POWERS]
    return any(_near(a, b) and any(_near(abs(a), c) for c in PLAIN) for a, b in constants)


def _adds_up(part: Part, subject: Subject, point: Point) -> bool:
    """Whether loss and gradients of all are both the mean, or both the sum, of two halves'.

    Then they are so of single samples, those of the part as all others.
    """
    parity = (np.arange(0, part.of, 2), np.arange(1, part.of, 2))
    halves = [
        point._replace(X=np.take(subject.X, rows, x), Y=np.take(subject.Y, rows, y))
        for rows in parity
        for x, y in [part.along]
    ]
    everything = point._replace(X=subject.X, Y=subject.Y)
    *some, total = subject.losses([*halves, everything])
    *each, whole = (flat(subject.grads(p)) for p in (*halves, everything))
    in_a_mean = [len(rows) / part.of for rows in parity]
    return any(
        _same(np.dot(weights, some), total)
        and _same(sum(w * g for w, g in zip(weights, each, strict=True)), whole)
        for weights in (in_a_mean, [1.0, 1.0])
    )


def _same(made: Any, given: Any) -> bool:
    return bool(np.linalg.norm(np.asarray(made - given)) <= LIKE * np.linalg.norm(given))


def _is_one(ratio: Ratio) -> bool:
    return ratio.near(1.0)


def _near(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=AGREE)


def _ratios(subject: Subject, point: Point) -> dict[str, Ratio]:
    """Return how many times the loss's slope is what each array's gradient says."""
    grads = subject.grads(point)
    return {name: _ratio(subject, point, name, grad) for name, grad in grads.items()}


def _ratio(subject: Subject, point: Point, name: str, grad: Array) -> Ratio:
    grad = np.asarray(grad, float)
    size = float(np.linalg.norm(grad))
    if not size or not math.isfinite(size):
        return Ratio(0.0, 0.0)
    at = np.asarray(point.params[name], float)
    # Half along the parameters, as an error of a penalty lies, which the gradient hardly sees.
    way = grad / size + at / max(float(np.linalg.norm(at)), STEP)
    said = float(np.sum(way * grad))
    h = STEP * max(float(np.linalg.norm(at)), STEP)
    steps = (h, -h, h / 2, -h / 2)
    there = [point._replace(params={**point.params, name: at + t * way}) for t in steps]
    losses = subject.losses(there)
    if np.array_equal(losses, losses.astype(np.float32)):
        return Ratio(1.0, np.inf)  # so short a step is lost in its rounding
    up, down, up_half, down_half = losses
    whole, half = (up - down) / (2 * h), (up_half - down_half) / h
    return Ratio(float(half / said), float(abs(half - whole) / abs(said)))


def _scaled(subject: Subject, factor: float) -> Subject:
    """Return the subject with its gradients times a factor."""

    def ask(do: str, **message: Any) -> Any:
        told = subject.ask(do, **message)
        if do != "grads":
            return told
        return [{name: factor * np.asarray(g) for name, g in grads.items()} for grads in told]

    return subject.with_(ask=ask)
