"""Points to probe a subject at: weights of order one, biases off zero, inputs of order one."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import Generator

from diagnosis.calls import Array, Point
from diagnosis.dependence import unused
from diagnosis.subject import Subject

BIAS = 0.45


def _is_matrix(array: Array) -> bool:
    return array.ndim >= 2 and min(array.shape) > 1


def random_params(params: Mapping[str, Array], rng: Generator) -> dict[str, Array]:
    """Draw matrices of variance about one over the fan-in, everything else around +-0.45."""
    drawn = {}
    for name, array in params.items():
        noise = np.asarray(rng.standard_normal(array.shape))
        if _is_matrix(array) or array.size > 40 * max(1, array.ndim):
            fan = max(array.shape) if array.ndim > 1 else array.size**0.5
            drawn[name] = noise / np.sqrt(fan)
        else:
            size = 1 + 0.3 * rng.standard_normal(array.shape)
            drawn[name] = np.asarray(BIAS * np.sign(noise) * size)
    return drawn


class Probes:
    """Points of a subject: what data it takes, and what may vary.

    Attributes:
        unused: which of X and Y each function ignores: "loss", "grads" -> names.
        free_inputs: whether other inputs can be put in, and change the loss and the gradient.
        own_data: whether what is right holds for the author's X and Y only.
    """

    def __init__(self, subject: Subject, rng: Generator) -> None:
        self.subject, self.rng = subject, rng
        self.unused = unused(subject, lambda other: random_params(subject.params, other))
        self.own_data = any("X" in names for names in self.unused.values())
        self.free_inputs = self._takes_inputs() and not self.own_data

    def _takes_inputs(self) -> bool:
        point = self.point(inputs=False)
        other = self.with_inputs(point)
        first, second = self.subject.losses([point, other])
        return bool(np.isfinite(second) and first != second)

    def on(self, subject: Subject) -> Probes:
        """Return the same for a subject with other data that takes the same."""
        other = copy.copy(self)
        other.subject = subject
        return other

    def with_inputs(self, point: Point) -> Point:
        """Return the point with normal inputs."""
        return point._replace(X=self.rng.standard_normal(np.shape(point.X)))

    def point(self, *, inputs: bool = True) -> Point:
        """Draw a point; with normal inputs if the subject takes them, unless told not to."""
        point = Point(random_params(self.subject.params, self.rng), self.subject.X, self.subject.Y)
        return self.with_inputs(point) if inputs and self.free_inputs else point

    def points(self, count: int) -> list[Point]:
        """Draw several."""
        return [self.point() for _ in range(count)]


def part(point: Point, rows: bool, chosen: Sequence[int]) -> Point:
    """Return a point with some of its samples only."""
    X, Y = np.asarray(point.X), np.asarray(point.Y)
    samples = X.shape[0] if rows or X.ndim == 1 else X.shape[1]
    return Point(point.params, _take(X, rows, samples, chosen), _take(Y, rows, samples, chosen))


def _take(array: Array, rows: bool, samples: int, chosen: Sequence[int]) -> Array:
    if array.ndim == 1:
        return array[list(chosen)]
    first = array.shape[0] == samples and (rows or array.shape[-1] != samples)
    return array[list(chosen)] if first else array[:, list(chosen)]
