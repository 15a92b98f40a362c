"""Histories: what the probes saw of every run, at the epochs asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.activations import Array
from bpcore.probes import PROBES, SCALARS, Accuracy, Forward, Loss
from bpcore.stack import Network, views

if TYPE_CHECKING:
    from bpcore.spec import Data, StackSpec


def epochs_to_record(record: str | Sequence[int], epochs: int) -> tuple[int, ...]:
    """Return the epochs at which to measure; the start (0) and the end (`epochs`) always are.

    Args:
        record: `"log:N"` for N log-spaced ones (fewer where they coincide), `"every"` or
            `"every:N"`, `"last:N"` for the last N, `"ends"`, or a list of epochs.
        epochs: length of the training.

    Raises:
        ValueError: the text is none of these, or an epoch lies outside.
    """
    if not isinstance(record, str):
        chosen = list(record)
        if not all(isinstance(e, int) and 0 <= e <= epochs for e in chosen):
            msg = f"`record` must list whole epochs from 0 to {epochs}; got {chosen}."
            raise ValueError(msg)
        return tuple(sorted({0, epochs, *chosen}))
    kind, _, count = record.partition(":")
    n = int(count) if count.isdigit() and int(count) > 0 else None
    if kind == "log" and n:
        spaced = np.rint(np.geomspace(1, max(epochs, 1), n)).astype(int)
    elif kind == "every" and (n or not count):
        spaced = np.arange(0, epochs, n or 1)
    elif kind == "last" and n:
        spaced = np.arange(max(epochs - n + 1, 0), epochs)
    elif record == "ends":
        spaced = np.arange(0)
    else:
        msg = (
            "`record` must be log:N, every, every:N, last:N, ends or a list of epochs, "
            f"N a positive number; got {record}."
        )
        raise ValueError(msg)
    return tuple(sorted({0, epochs, *(int(e) for e in spaced if e <= epochs)}))


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
