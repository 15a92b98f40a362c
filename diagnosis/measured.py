"""A model for a loss nobody listed: its derivative at the output is measured, not known.

On one sample the slope of the loss along the output's bias is the output's delta. For a loss that
adds up over samples, these deltas, sample by sample, are all that the way back needs of it. The
activations of hidden layers are those with which the way back gives the measured gradient.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.errors import CallFailed
from diagnosis.formulas import OUTPUTS, UNITS
from diagnosis.gradient import Slopes, slopes_at
from diagnosis.identify import COMMON, MIXED
from diagnosis.layouts import layouts
from diagnosis.losses import LOSSES
from diagnosis.matching import match
from diagnosis.model import Batch, Model, Pass, Penalty, read
from diagnosis.probing import part
from diagnosis.subject import Subject
from diagnosis.views import Layout

CLOSE = 1e-5
SECONDS = 2.0
LIKELY = 8


@dataclass(frozen=True)
class MeasuredModel(Model):
    """A model whose output delta is looked up.

    Attributes:
        known: `dL/dz` of the output, `(m, k)`, by the point's parameters and inputs.
    """

    known: dict[bytes, Array] = field(default_factory=dict)

    def run(self, batch: Batch) -> Pass:
        """Go forward, and back from the measured deltas."""
        A, Z, linear = self.forward(batch)
        G = np.stack([self.known[key] for key in keys(batch)])
        slopes_ = [unit.slope_at_z(z) for unit, z in zip(self.units, Z[:-1], strict=True)]
        D = [G]
        for k in range(len(self.units) - 1, -1, -1):
            D.insert(0, np.matmul(D[0], batch.W[k + 1].swapaxes(1, 2)) * slopes_[k])
        return Pass(A, Z, linear, slopes_, G, D, D)


def keys(batch: Batch) -> list[bytes]:
    """Return what tells the points of a batch apart."""
    return [batch.W[-1][i].tobytes() + batch.X[i].tobytes() for i in range(len(batch.X))]


def output_delta(subject: Subject, layout: Layout, point: Point) -> Array | None:
    """Measure `dL/dz` of the output layer, `(m, k)`.

    Returns:
        None where the loss does not add up over samples, or one sample is not taken.
    """
    view = layout.layers[-1].b
    if view is None or view.index.ndim != 1:
        return None
    entries = {view.name: view.index.tolist()}
    samples = layout.inputs(point.X).shape[0]
    try:
        parts = [part(point, layout.rows, [i]) for i in range(samples)]
        taken = [here.found[view.name][0] for here in slopes_at(subject, [*parts, point], entries)]
        each, whole = np.stack(taken[:-1]), taken[-1]
    except (CallFailed, IndexError):
        return None
    total = each.sum(axis=0)
    if not np.isfinite(each).all() or not total.any():
        return None
    ratio = float(total @ whole / (total @ total))
    if np.linalg.norm(whole - ratio * total) > CLOSE * np.linalg.norm(whole):
        return None
    return ratio * each


def _candidates(count: int) -> Iterator[tuple[str, ...]]:
    yield from ((name,) * count for name in UNITS)
    if count > 1:
        names = COMMON[: MIXED.get(count, 1)]
        yield from (c for c in itertools.product(names, repeat=count) if len(set(c)) > 1)


def measured_model(subject: Subject, taken: Sequence[Slopes]) -> MeasuredModel | None:
    """Find the layout and the hidden activations that explain the measured gradient."""
    first = next(
        (t for t in taken if all(len(t.entries[n]) == a.size for n, a in subject.params.items())),
        None,
    )
    if first is None:
        return None
    deadline = time.process_time() + SECONDS
    deltas: dict[object, Array | None] = {}
    for layout in itertools.islice(layouts(subject.params, subject.X, subject.Y), LIKELY):
        view = layout.layers[-1].b
        key = (view and view.key, layout.rows)
        if key not in deltas:
            deltas[key] = output_delta(subject, layout, first.point)
        delta = deltas[key]
        if delta is None:
            continue
        for names in _candidates(len(layout.layers) - 1):
            if time.process_time() > deadline:
                return None
            model = _fitting(layout, names, delta, first)
            if model is not None:
                return model
    return None


def _fitting(
    layout: Layout, names: tuple[str, ...], delta: Array, taken: Slopes
) -> MeasuredModel | None:
    batch = read(layout, [taken.point])
    model = MeasuredModel(
        layout, names, tuple(UNITS[n] for n in names), "identity", OUTPUTS["identity"],
        "not listed", LOSSES["squared_error"], {batch.samples: np.array([1 / batch.samples])},
        known={keys(batch)[0]: delta},
    )  # fmt: skip
    true = {
        n: found[0].reshape(np.shape(taken.point.params[n])) for n, found in taken.found.items()
    }
    penalties = []
    with np.errstate(all="ignore"):
        done = model.run(batch)
        for k in range(len(layout.layers) - 1, -1, -1):
            made = np.matmul(done.A[k].swapaxes(1, 2), done.D[k])
            if not np.isfinite(made).all():
                return None
            given = layout.layers[k].W.read(true)[None]
            found = match([given], [[made]], [batch.W[k]], [made], CLOSE)
            if found is None or found.factors is None or abs(found.factors[0] - 1) > 10 * CLOSE:
                return None
            penalties += [
                Penalty(k, "W", power, c / power)
                for power, c in zip((2, 1), found.extra, strict=False)
                if abs(c) > 100 * CLOSE
            ]
    return replace(model, penalties=tuple(penalties))


def learn(model: MeasuredModel, subject: Subject, points: Sequence[Point]) -> list[Point]:
    """Measure the deltas at more points; return those where it was possible."""
    done = []
    for point in points:
        delta = output_delta(subject, model.layout, point)
        if delta is not None:
            model.known[keys(read(model.layout, [point]))[0]] = delta
            done.append(point)
    return done
