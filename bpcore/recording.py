"""Histories: what the probes saw of every run, at the epochs asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

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
        probes = self._basic(data, len(alive), "")
        for name in self.spec.probes:
            made = PROBES[name].forward
            if made is not None:
                probes[name] = made(self.spec, len(alive))
        self._measure(passes, probes, alive, k)
        self.written[alive] = k + 1

    def test(self, passes: Iterable[Network], data: Data, alive: Array, k: int) -> None:
        """Measure forward passes that together hold the test split, if there is one."""
        if data.X_test.shape[1]:
            self._measure(passes, self._basic(data, len(alive), "_test"), alive, k)

    def _basic(self, data: Data, runs: int, suffix: str) -> dict[str, Forward]:
        basic: dict[str, Forward] = {"loss" + suffix: Loss(self.spec, runs)}
        if data.midpoint is not None:
            basic["accuracy" + suffix] = Accuracy(self.spec, runs, data.midpoint)
        return basic

    def _measure(
        self, passes: Iterable[Network], probes: dict[str, Forward], alive: Array, k: int
    ) -> None:
        for network in passes:
            for probe in probes.values():
                probe.add(network)
        for name, probe in probes.items():
            self.values[name][alive, k] = probe.result()

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
