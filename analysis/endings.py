"""How runs ended, a column each: what complaints and verdicts are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sweeps import records

SCALARS = (
    "run", "outcome", "replicate", "final_loss", "final_accuracy", "final_dead_fraction",
    "prior_loss",
)  # fmt: skip
CURVES = ("output_spread", "weight_norm", "grad_norm", "dead_fraction")
# What there is to say about how a run ended, by the names of the columns that hold it.
MEASURED = (
    "final_loss", "final_accuracy", "final_dead_fraction", "prior_loss", "relative_loss",
    "output_spread", "weights_left", "gradient_left", "gradient_first", "gradient_ratio",
    "dead_layer", "dead_units",
)  # fmt: skip
# Output units deviate by more than this over the samples where the output depends on the input. It
# is far above rounding: a run may be slow and still depend. The share of the targets' deviation in
# `analysis.symptoms.measures` is another thing, by which an output counts as guessing.
LEAST_SPREAD = 1e-6


def runs(store: str | Path, sweep: str) -> pd.DataFrame:
    """Return a row a run of a sweep: its stored scalars, its axes, and how it ended.

    Further columns, NaN for diverged runs and where nothing was measured:
        relative_loss: final loss over the prior's; infinite for diverged runs.
        output_spread: deviation of the output over samples at the end.
        weights_left: norm of all weights at the end over that at the start.
        gradient_left: norm of the last layer's dW at the end.
        gradient_first: norm of the last layer's dW at the start.
        gradient_ratio: norm of the first layer's dW over that of the last, at the start.
        dead_layer: 1 where some hidden layer is 0 on all training data at the end, else 0.
        dead_units: share of hidden units that are, as `final_dead_fraction`.
    """
    history = [f"history_{name}" for name in CURVES]
    frame = records.runs(store, sweep, [*SCALARS, *history])
    columns = pd.DataFrame(
        [_ending(*row) for row in zip(*(frame[h] for h in history), strict=True)]
    )
    diverged = (frame["outcome"] == "diverged").to_numpy()
    columns[diverged] = np.nan
    columns["relative_loss"] = np.where(
        diverged, np.inf, frame["final_loss"] / frame["prior_loss"].astype(float)
    )
    columns["dead_units"] = frame["final_dead_fraction"].astype(float)
    return pd.concat([frame.drop(columns=history), columns], axis=1)


def _ending(
    spread: np.ndarray, weights: np.ndarray, grads: np.ndarray, dead: np.ndarray
) -> dict[str, float]:
    first, last = np.asarray(weights[0], float), np.asarray(weights[-1], float)
    start, end = np.asarray(grads[0], float), np.asarray(grads[-1], float)
    hidden = np.asarray(dead[-1], float)[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "output_spread": float(spread[-1]),
            "weights_left": float(np.sqrt((last @ last) / (first @ first))),
            "gradient_left": float(end[-1]),
            "gradient_first": float(start[-1]),
            "gradient_ratio": float(start[0] / start[-1]),
            "dead_layer": float((hidden == 1).any()),
        }
