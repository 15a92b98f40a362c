"""What training returns: an outcome and a history for each run, and a stack of them as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bpcore.activations import Array
from bpcore.spec import StackSpec
from bpcore.stack import views


class Outcome(StrEnum):
    """How a run ended; whether it learned is a symptom, decided elsewhere."""

    FINISHED = "finished"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class RunResult:
    """What a run leaves.

    Attributes:
        outcome: finished, or diverged: frozen at the first check that saw a non-finite loss.
        steps: updates made.
        loss: at the end, over all training data; for a diverged run the non-finite one seen.
        accuracy: at the end; NaN for regression and for diverged runs.
        loss_test, accuracy_test: the same on the test split; NaN without one.
        history: name of a probe to its values at the epochs in `history["epoch"]`: `(K,)`, or
            `(K, L)` for probes with a value for each layer.
        params: `W1` `(n_out, n_in)`, `b1` `(n_out,)`, ... as they were at the end.
    """

    outcome: Outcome
    steps: int
    loss: float
    accuracy: float
    loss_test: float
    accuracy_test: float
    history: dict[str, Array]
    params: dict[str, Array]


@dataclass(frozen=True)
class StackResult:
    """What a stack leaves, as arrays over its runs; `result[r]` is one run of it.

    Attributes:
        spec: what was trained.
        diverged: `(R,)` bool.
        steps: `(R,)`.
        loss: `(R,)`, as in `RunResult`.
        history: name to `(R, K)` or `(R, K, L)`; NaN after a run's end.
        recorded: how many of the K epochs in `spec.record` each run has, `(R,)`.
        params: `(R, P)`, cut by `stack.views`.
        seconds: of the whole stack.
    """

    spec: StackSpec
    diverged: Array
    steps: Array
    loss: Array
    history: dict[str, Array]
    recorded: Array
    params: Array
    seconds: float

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.loss)

    def final(self, name: str) -> Array:
        """Return the last value of a measurement, NaN for diverged runs: `(R,)` or `(R, L)`."""
        return np.where(
            self.diverged.reshape(-1, *[1] * (self.history[name].ndim - 2)),
            np.nan,
            self.history[name][:, -1],
        )

    def __getitem__(self, run: int) -> RunResult:
        """Return one run."""
        n = self.recorded[run]
        history = {"epoch": np.array(self.spec.record[:n])}
        history |= {name: values[run, :n] for name, values in self.history.items()}
        params = {}
        cut = views(self.params[run : run + 1], self.spec.sizes, bias=self.spec.bias)
        for k, Wb in enumerate(cut):
            params[f"W{k + 1}"] = Wb[0, :, : self.spec.sizes[k]]
            if self.spec.bias:
                params[f"b{k + 1}"] = Wb[0, :, self.spec.sizes[k]]
        return RunResult(
            outcome=Outcome.DIVERGED if self.diverged[run] else Outcome.FINISHED,
            steps=int(self.steps[run]),
            loss=float(self.loss[run]),
            accuracy=float(self.final("accuracy")[run]),
            loss_test=float(self.final("loss_test")[run]),
            accuracy_test=float(self.final("accuracy_test")[run]),
            history=history,
            params=params,
        )
