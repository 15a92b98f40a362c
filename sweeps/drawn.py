"""Data sets that are drawn, not read: points in the plane, from nothing but NumPy.

They are computed here, not by scikit-learn, so that the digest of their arrays - a part of every
run's identity - does not change with a version of scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DECIMALS = 9
FLOWER_PETALS = 4
FLOWER_RADIUS = 4.0
FLOWER_ARC = 3.12
CIRCLE_RATIO = 0.5
SPIRAL_TURN = 4.0
BLOB_DISTANCE = 5.0

# Child streams of data.seed; they begin at 1 because SeedSequence takes [s, 0] for [s].
DRAWING, SPLITTING = 1, 2


def stream(seed: int, purpose: int) -> np.random.Generator:
    """Return the random numbers that a data seed has for one purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, purpose]))


@dataclass(frozen=True)
class Source:
    """Samples as their source gives them: before any split, scaling or encoding.

    Attributes:
        X: `(m, n_in)` features of any numeric type; samples are rows.
        y: `(m,)` indices into `classes`, or the numbers to predict.
        classes: Names of the classes; empty for regression.
        features: Names of the columns of `X`.
        held_out: The last so many samples are the source's own test split.
        unit: What `X` is to be divided by; lets images stay bytes until they are chosen.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    held_out: int = 0
    unit: float = 1.0


def xor(rng: np.random.Generator, samples: int | None = None, noise: float | None = None) -> Source:
    """Draw exclusive or: class 1 where exactly one of two bits is set.

    Args:
        rng: Source of the noise.
        samples: Points, dealt to the corners in turn; None: each corner once.
        noise: Standard deviation on both coordinates; None: 0 on the four corners themselves,
            0.1 on any other number of points.
    """
    corner = np.arange(4 if samples is None else samples) % 4
    bits = np.stack([corner // 2, corner % 2], axis=1)
    if noise is None:
        noise = 0.0 if samples is None else 0.1
    X = bits + noise * rng.standard_normal(bits.shape)
    return _drawn(X, bits[:, 0] ^ bits[:, 1])


def moons(rng: np.random.Generator, samples: int = 200, noise: float = 0.2) -> Source:
    """Draw two interleaved half circles of radius 1; `noise` is the deviation of both coordinates.

    Source:
        The shape of scikit-learn's `make_moons`, which it equals at noise 0.
    """
    outer, inner = (np.linspace(0, np.pi, n) for n in _shares(samples, 2))
    upper = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    lower = np.stack([1 - np.cos(inner), 0.5 - np.sin(inner)], axis=1)
    X = np.concatenate([upper, lower])
    return _drawn(X + noise * rng.standard_normal(X.shape), _labels(samples, 2))


def circles(rng: np.random.Generator, samples: int = 200, noise: float = 0.1) -> Source:
    """Draw a circle of radius 1 and one of half that in it; `noise` is that of both coordinates.

    Source:
        The shape of scikit-learn's `make_circles(factor=0.5)`, which it equals at noise 0. Its
        default factor of 0.8 would leave only two deviations of noise between the classes.
    """
    rings = [
        radius * _on_circle(2 * np.pi * np.arange(n) / n)
        for radius, n in zip((1.0, CIRCLE_RATIO), _shares(samples, 2), strict=True)
    ]
    X = np.concatenate(rings)
    return _drawn(X + noise * rng.standard_normal(X.shape), _labels(samples, 2))


def spirals(
    rng: np.random.Generator, samples: int = 200, noise: float = 0.1, classes: int = 3
) -> Source:
    """Draw one spiral arm a class, each turning by 4 radians from the center out to radius 1.

    Args:
        rng: Source of the noise.
        samples: Points in all arms together.
        noise: Standard deviation of the angle, in radians; radii are exact.
        classes: Number of arms, evenly turned against each other.

    Source:
        After CS231n, "Putting it together: minimal neural network case study", whose arms turn by
        4 radians each, follow each other at 4 radians, have noise 0.2 and share the point at
        radius 0; here arms are evenly spaced and the n points of one have radii 1/n, 2/n ... 1.
    """
    label = _labels(samples, classes)
    radius = np.concatenate([np.arange(1, n + 1) / n for n in _shares(samples, classes) if n])
    angle = 2 * np.pi * label / classes + SPIRAL_TURN * radius
    angle = angle + noise * rng.standard_normal(samples)
    return _drawn(radius[:, None] * _on_circle(angle), label, classes)


def flower(rng: np.random.Generator, samples: int = 400, noise: float = 0.2) -> Source:
    """Draw the two-class flower: `r = 4 sin(4 theta)`, the classes on either half turn.

    `noise` is the standard deviation of the angle (radians) and of the radius. An arc is 3.12 and
    not pi long, as in the source, whose own points came from NumPy's old global generator and
    are not these.

    Source:
        Andrew Ng, "Neural Networks and Deep Learning", week 3, planar data classification.
    """
    halves = [
        np.linspace(half * FLOWER_ARC, (half + 1) * FLOWER_ARC, n)
        for half, n in enumerate(_shares(samples, 2))
    ]
    theta = np.concatenate(halves) + noise * rng.standard_normal(samples)
    r = FLOWER_RADIUS * np.sin(FLOWER_PETALS * theta) + noise * rng.standard_normal(samples)
    X = np.stack([r * np.sin(theta), r * np.cos(theta)], axis=1)
    return _drawn(X, _labels(samples, 2))


def blobs(
    rng: np.random.Generator, samples: int = 200, noise: float = 1.0, classes: int = 3
) -> Source:
    """Draw one round Gaussian cloud a class, their centers evenly on a circle.

    Neighboring centers are 5 apart whatever the number of classes or the seed, so that neither
    changes how hard the problem is.

    Args:
        rng: Source of the points.
        samples: Points in all clouds together.
        noise: Standard deviation of each coordinate around its center.
        classes: Number of clouds.
    """
    label = _labels(samples, classes)
    radius = BLOB_DISTANCE / 2 / np.sin(np.pi / classes)
    centers = radius * _on_circle(2 * np.pi * label / classes)
    return _drawn(centers + noise * rng.standard_normal(centers.shape), label, classes)


def _on_circle(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _shares(samples: int, classes: int) -> list[int]:
    """Spread samples over classes as evenly as they go; what is left over goes to the last."""
    return [(samples + k) // classes for k in range(classes)]


def _labels(samples: int, classes: int) -> NDArray[np.intp]:
    return np.repeat(np.arange(classes), _shares(samples, classes))


def _drawn(X: Array, label: NDArray[np.intp], classes: int = 2) -> Source:
    # Sine and cosine may differ in the last bit from one processor to the next; a digest must not,
    # so neither bits past the ninth decimal nor the sign of a zero are kept.
    rounded = np.round(X, DECIMALS) + 0.0
    return Source(rounded, label, tuple(str(k) for k in range(classes)), ("x1", "x2"))
