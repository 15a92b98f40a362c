"""What is measured while training.

Three kinds. A *forward* probe is fed one forward pass after another until all training data has
gone by, and merges them (full batch: a single pass, the step's own). A *gradient* probe reads the
networks between backward and update. An *update* probe compares the parameters before and after the
step. In mini-batch training gradient and update probes see the first batch of the epoch.

Each returns an array over runs `(R,)`, or over runs and layers `(R, L)`, input side first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bpcore.activations import ACTIVATIONS, Array

if TYPE_CHECKING:
    from bpcore.spec import StackSpec
    from bpcore.stack import Layer, Network


class Forward(Protocol):
    """A measurement that is merged over forward passes."""

    def add(self, network: Network) -> None:
        """Take in the columns that the network has just computed."""

    def result(self) -> Array:
        """Return the value over everything taken in."""


class Loss:
    """The loss that training minimizes, without the penalty of weight decay."""

    def __init__(self, spec: StackSpec, runs: int) -> None:
        self.mean = spec.reduction == "mean"
        self.total = np.zeros(runs)
        self.samples = 0

    def add(self, network: Network) -> None:
        """Add the loss of these columns, weighted by their number where it is a mean."""
        m = network.samples if self.mean else 1
        self.total += network.loss().astype(float) * m
        self.samples += m

    def result(self) -> Array:
        """Return `(R,)`."""
        return self.total / (self.samples if self.mean else 1)


class Accuracy:
    """Share of samples whose class is right: largest unit, or side of the midpoint for one unit."""

    def __init__(self, spec: StackSpec, runs: int, midpoint: float) -> None:  # noqa: ARG002
        self.midpoint = midpoint
        self.right = np.zeros(runs)
        self.samples = 0

    def add(self, network: Network) -> None:
        """Count the right ones among these columns."""
        a, y = network.top.a, network.top.targets
        # NaN is no class, though comparing and ordering give it one.
        sense = np.isfinite(np.add.reduce(a, axis=(1, 2)))
        if a.shape[1] == 1:
            right = (a > self.midpoint) == (y > self.midpoint)
        else:
            right = _largest(a) & _largest(y)
        # Row by row: counting along an axis takes ten times as long.
        counts = np.array([np.count_nonzero(run) for run in right])
        self.right += np.where(sense, counts, np.nan)
        self.samples += network.samples

    def result(self) -> Array:
        """Return `(R,)` between 0 and 1."""
        return self.right / self.samples


def _largest(units: Array) -> Array:
    """Say of each unit of `(R, n, m)` whether it is the largest of its column, the first of equals.

    Comparing with the largest takes a fifth of the time that ordering takes, and is enough where
    there are neither ties nor NaN.
    """
    at_top = units == np.maximum.reduce(units, axis=1, keepdims=True)
    if (np.add.reduce(at_top.view(np.uint8), axis=1, dtype=np.uint16) == 1).all():
        return np.asarray(at_top)
    first = np.argmax(units, axis=1, keepdims=True)
    return np.asarray(np.arange(units.shape[1])[:, None] == first)


class Moments:
    """Mean and sum of squared deviations over rows of columns, merged over chunks.

    Source:
        Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", Stanford STAN-CS-79-773, 1979, eq. 2.1.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Array = np.zeros(1)
        self.squares: Array = np.zeros(1)

    def add(self, rows: Array, scratch: Array) -> None:
        """Take in `(..., n)`: n more values of every row; `scratch` is an array of that shape."""
        n = rows.shape[-1]
        mean = np.add.reduce(rows, axis=-1, keepdims=True) / rows.dtype.type(n)
        # From the deviations, not from the squares: a small spread about a large mean counts.
        deviations = np.subtract(rows, mean, out=scratch)
        squares = np.vecdot(deviations, deviations).astype(float)
        mean = mean[..., 0].astype(float)
        step = mean - self.mean
        total = self.count + n
        self.squares = self.squares + squares + step * step * (self.count * n / total)
        self.mean = self.mean + step * (n / total)
        self.count = total

    def deviation(self) -> Array:
        """Return the population standard deviation of every row."""
        return np.asarray(np.sqrt(self.squares / self.count))


class OutputSpread:
    """Standard deviation of the output over samples, averaged over output units.

    Zero when the output does not depend on the input.
    """

    def __init__(self, spec: StackSpec, runs: int) -> None:  # noqa: ARG002
        self.moments = Moments()

    def add(self, network: Network) -> None:
        """Take in the outputs of these columns."""
        self.moments.add(network.top.a, network.top.scratch)

    def result(self) -> Array:
        """Return `(R,)`."""
        return np.asarray(self.moments.deviation().mean(axis=1))


def _units_together(layer: Layer, array: Array) -> Array:
    """View an array shaped like the activations of a layer as one row a run."""
    # The row of ones stands last, so what lies before it is contiguous.
    return array.reshape(len(array), -1)[:, : layer.units * layer.samples]


class ActivationMoments:
    """Mean and spread of the activations of each layer, over its units and all samples."""

    def __init__(self, spec: StackSpec, runs: int) -> None:  # noqa: ARG002
        self.moments = [Moments() for _ in range(spec.layers)]

    def add(self, network: Network) -> None:
        """Take in the activations of these columns, all units of a layer together."""
        for moments, layer in zip(self.moments, network.layers, strict=True):
            scratch = _units_together(layer, layer.scratch)
            moments.add(_units_together(layer, layer.a), scratch)

    def result(self) -> Array:
        """Return the means, `(R, L)`."""
        return np.stack([moments.mean for moments in self.moments], axis=1)

    def spread(self) -> Array:
        """Return the standard deviations, `(R, L)`."""
        return np.stack([moments.deviation() for moments in self.moments], axis=1)


class DeadFraction:
    """Share of units of each layer whose activation is exactly 0 on all training samples."""

    # Nearly every unit that speaks at all does so within its first samples.
    HEAD = 16

    def __init__(self, spec: StackSpec, runs: int) -> None:
        self.silent = [np.ones((runs, n), bool) for n in spec.sizes[1:]]

    def add(self, network: Network) -> None:
        """Strike out the units that speak on one of these columns (NaN speaks)."""
        for silent, layer in zip(self.silent, network.layers, strict=True):
            a = layer.a_units
            silent &= (a[:, :, : self.HEAD] == 0).all(axis=2)
            silent[silent] = (a[silent] == 0).all(axis=1)

    def result(self) -> Array:
        """Return `(R, L)`."""
        return np.stack([silent.mean(axis=1) for silent in self.silent], axis=1)


class SaturatedFraction:
    """Share of activations of each layer where the slope is below 1 % of its largest value.

    NaN for layers whose activation does not saturate on both sides.
    """

    def __init__(self, spec: StackSpec, runs: int) -> None:
        hidden = ACTIVATIONS[spec.activation].saturation
        top = ACTIVATIONS[spec.output].saturation if spec.output in ACTIVATIONS else None
        self.bounds = [hidden] * (spec.layers - 1) + [top]
        self.outside = np.zeros((runs, spec.layers))
        self.outside[:, [b is None for b in self.bounds]] = np.nan
        self.samples = 0

    def add(self, network: Network) -> None:
        """Count the saturated ones among these columns."""
        self.samples += network.samples
        for k, (bounds, layer) in enumerate(zip(self.bounds, network.layers, strict=True)):
            if bounds is not None:
                a, (low, high) = _units_together(layer, layer.a), bounds
                # Row by row: counting along an axis takes ten times as long.
                sides = zip(a < low, a > high, strict=True)
                counts = [np.count_nonzero(x) + np.count_nonzero(y) for x, y in sides]
                self.outside[:, k] += np.array(counts) / layer.units

    def result(self) -> Array:
        """Return `(R, L)`."""
        return self.outside / self.samples


def _norms(arrays: Sequence[Array]) -> Array:
    """Frobenius norm of each run's arrays, `(R, L)`."""
    flat = [array.reshape(len(array), -1) for array in arrays]
    return np.stack([np.sqrt(np.vecdot(row, row)) for row in flat], axis=1)


def grad_norm(network: Network) -> Array:
    """Frobenius norm of dL/dW of each layer."""
    return _norms([layer.dW for layer in network.layers])


def weight_norm(network: Network) -> Array:
    """Frobenius norm of W of each layer."""
    return _norms([layer.W for layer in network.layers])


def update_ratio(before: Sequence[Array], after: Sequence[Array]) -> Array:
    """Norm of a step's change of W over the norm of W before it; CS231n expects about 1e-3.

    NaN where W is 0 and stays it; inf where it leaves 0.
    """
    change = _norms([a - b for a, b in zip(after, before, strict=True)])
    return change / _norms(before)


@dataclass(frozen=True)
class Probe:
    """One entry of the table; exactly one of forward, gradient and update is set.

    Attributes:
        what: a line for documentation, with the unit.
        per_layer: whether it has a value for each layer.
        forward: makes a fresh measurement of all training data for `(spec, runs)`; probes that
            name the same one share it.
        read: takes the probe's value from that measurement; None: its `result`.
        gradient: reads a network between backward and update.
        update: compares the weights before and after a step.
    """

    what: str
    per_layer: bool = False
    forward: Callable[[StackSpec, int], Forward] | None = None
    read: Callable[[Any], Array] | None = None
    gradient: Callable[[Network], Array] | None = None
    update: Callable[[Sequence[Array], Sequence[Array]], Array] | None = None


# Loss and accuracy are always measured: an outcome needs them.
PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        "output_spread": Probe(
            "deviation of the output over samples, mean over units", forward=OutputSpread
        ),
        "act_mean": Probe("mean activation", per_layer=True, forward=ActivationMoments),
        "act_spread": Probe(
            "deviation of the activation",
            per_layer=True,
            forward=ActivationMoments,
            read=ActivationMoments.spread,
        ),
        "dead_fraction": Probe(
            "share of units that are 0 on all training data", per_layer=True, forward=DeadFraction
        ),
        "saturated_fraction": Probe(
            "share of activations with a slope below 1 % of the largest",
            per_layer=True,
            forward=SaturatedFraction,
        ),
        "grad_norm": Probe("Frobenius norm of dL/dW", per_layer=True, gradient=grad_norm),
        "weight_norm": Probe("Frobenius norm of W", per_layer=True, gradient=weight_norm),
        "update_ratio": Probe(
            "norm of a step's change of W over the norm of W", per_layer=True, update=update_ratio
        ),
    }
)
SCALARS = ("loss", "accuracy", "loss_test", "accuracy_test")
