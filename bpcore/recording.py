"""Histories: what the probes saw of every run, at the epochs asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.activations import Array
from bpcore.probes import PROBES, SCALARS, Accuracy, Forward, Loss
from bpcore.stack import Network, views

if TYPE_CHECKING:
    from bpcore.spec import Data, StackSpec


class Recorder:
    """Histories of all runs of a stack, diverged ones included.

    Attributes:
        values: name to `(R, K)`, or `(R, K, L)` for probes with a value for each layer; NaN where
            nothing was measured.
        written: how many epochs have been recorded of each run, `(R,)`.
    """

    def __init__(self, spec: StackSpec, runs: int) -> None:
        self.spec = spec
        shapes = {name: (runs, len(spec.record)) for name in SCALARS}
        for name in spec.probes:
            layers = (spec.layers,) if PROBES[name].per_layer else ()
            shapes[name] = (runs, len(spec.record), *layers)
        self.values = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
        self.written = np.zeros(runs, int)

    def training(self, passes: Iterable[Network], data: Data, alive: Array, k: int) -> None:
        """Measure forward passes that together hold the training data."""
        basic = self._basic(data, len(alive), "")
        wanted = {name: PROBES[name] for name in self.spec.probes}
        shared: dict[Any, Forward] = {
            make: make(self.spec, len(alive))
            for make in dict.fromkeys(probe.forward for probe in wanted.values())
            if make is not None
        }
        _feed(passes, [*basic.values(), *shared.values()])
        for name, measured in basic.items():
            self.values[name][alive, k] = measured.result()
        for name, probe in wanted.items():
            if probe.forward is not None:
                measured = shared[probe.forward]
                value = probe.read(measured) if probe.read else measured.result()
                self.values[name][alive, k] = value
        self.written[alive] = k + 1

    def test(self, passes: Iterable[Network], data: Data, alive: Array, k: int) -> None:
        """Measure forward passes that together hold the test split, if there is one."""
        if data.X_test.shape[1]:
            basic = self._basic(data, len(alive), "_test")
            _feed(passes, basic.values())
            for name, measured in basic.items():
                self.values[name][alive, k] = measured.result()

    def _basic(self, data: Data, runs: int, suffix: str) -> dict[str, Forward]:
        basic: dict[str, Forward] = {"loss" + suffix: Loss(self.spec, runs)}
        if data.midpoint is not None:
            basic["accuracy" + suffix] = Accuracy(self.spec, runs, data.midpoint)
        return basic

    def gradients(self, network: Network, alive: Array, k: int) -> None:
        """Measure between backward and update."""
        for name in self.spec.probes:
            read = PROBES[name].gradient
            if read is not None:
                self.values[name][alive, k] = read(network)

    def updates(self, before: Array, after: Array, alive: Array, k: int) -> None:
        """Measure what a step changed, from the flat parameters before and after it."""
        spec = self.spec
        for name in spec.probes:
            compare = PROBES[name].update
            if compare is not None:
                pair = [
                    [
                        Wb[:, :, :n]
                        for Wb, n in zip(
                            views(flat, spec.sizes, bias=spec.bias), spec.sizes, strict=False
                        )
                    ]
                    for flat in (before, after)
                ]
                self.values[name][alive, k] = compare(*pair)


def _feed(passes: Iterable[Network], measurements: Collection[Forward]) -> None:
    """Give every measurement every forward pass."""
    for network in passes:
        for measurement in measurements:
            measurement.add(network)
