"""Which network is it: a search for the model that reproduces the author's loss.

For a candidate the loss is linear in what is unknown: `loss = c * core + sum of penalties`. So each
candidate is one small least-squares problem over some random points, and reduction, factors and
penalties are read off its solution.

Layers are found one at a time, from the output down: at points where `W` of a layer is zero, the
loss depends on its bias and on the layers above only. First the output and the loss, then the
activation of the layer below with those known, and so on. Where a layer has no bias, it is
searched together with the next that has one.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.fitting import EXACT, Fitting, Head, likely_heads, penalty_columns, smallest, solve
from diagnosis.formulas import OUTPUTS, UNITS, Unit, leaky
from diagnosis.layouts import Layout, View, cut_by, layouts
from diagnosis.model import Batch, Model, Norm, Penalty, read
from diagnosis.probing import Probes, part
from diagnosis.subject import Subject

STAGE_POINTS = 16
POINTS = 18
FIRST, LIKELY = 40, 12
SECONDS = 3.0
COMMON = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "leaky_relu(0.1)", "softplus", "silu",
          "identity", "gelu")  # fmt: skip
MIXED = {2: 10, 3: 9, 4: 5, 5: 3}
NORM_EPSILONS = (1e-5, 1e-8, 0.0, 1e-3, 1e-7, 1e-6, 1e-4, 1e-10, 1e-12, 1e-2)


@dataclass(frozen=True)
class _Partial:
    """What is known from some layer up: units of hidden layers, and the head."""

    names: tuple[str, ...]
    units: tuple[Unit, ...]
    head: Head | None


class Identifier:
    """The search for one subject.

    Args:
        subject: whose loss it is.
        probes: where to evaluate it.
        rough: how exactly it can be known, of its size.
        masks: dropout masks seen, by `(samples, units)` shape.
        seconds: when to give up.
    """

    def __init__(
        self,
        subject: Subject,
        probes: Probes,
        *,
        rough: float = 0.0,
        masks: Sequence[Array] = (),
        seconds: float = SECONDS,
    ) -> None:
        self.subject, self.probes, self.masks = subject, probes, masks
        self.exact = max(EXACT, 30 * rough)
        self.deadline = time.process_time() + seconds
        self.full = probes.points(POINTS)
        self._full_losses: Array | None = None
        self._stages: dict[Any, tuple[list[Point], Array]] = {}
        self._found: dict[Any, list[_Partial]] = {}

    @property
    def full_losses(self) -> Array:
        """The losses at points where nothing is zero."""
        if self._full_losses is None:
            self._full_losses = self.subject.losses(self.full)
        return self._full_losses

    def stage(self, view: View) -> tuple[list[Point], Array]:
        """Return points where this part of the parameters is zero, and the losses there."""
        if view.key not in self._stages:
            points = []
            for point in self.probes.points(STAGE_POINTS):
                view.write(point.params, np.zeros(view.index.shape))
                points.append(point)
            self._stages[view.key] = (points, self.subject.losses(points))
        return self._stages[view.key]

    def models(self) -> Iterator[Model]:
        """Yield models that reproduce the loss, the most usual layout first."""
        if not np.isfinite(self.full_losses).any():
            return
        ways = layouts(self.subject.params, self.subject.X, self.subject.Y, self._cut())
        first = list(itertools.islice(ways, FIRST))
        # What is common is tried in many layouts before what is rare is tried in any.
        passes = ((first, False), (first[:LIKELY], True), (ways, False), (first[LIKELY:], True))
        for some, thorough in passes:
            self.thorough = thorough
            for layout in some:
                if time.process_time() > self.deadline:
                    return
                for candidate in self._in_layout(layout):
                    model = self._verified(layout, candidate)
                    if model is not None:
                        yield model

    def _cut(self) -> list[Any]:
        """Look how a program with one array of parameters cuts it."""
        if len(self.subject.params) != 1:
            return []
        point = self.full[0]
        [(name, flat)] = point.params.items()
        seen = self.subject.trace(point)["arrays"]
        return cut_by([(a["name"], np.asarray(a["array"])) for a in seen], name, flat)

    # --- stages

    def _in_layout(self, layout: Layout) -> Iterable[_Partial]:
        found = [_Partial((), (), None)]
        last = len(layout.layers) - 1
        below = last  # the highest layer whose activation is not known yet, counting from 0
        for k in range(last, 0, -1):
            layer = layout.layers[k]
            if layer.b is None and layer.shift is None:
                continue
            key = (
                k,
                below,
                self.thorough,
                layout.targets,
                tuple(
                    (
                        v.W.name,
                        v.W.index.tobytes(),
                        v.W.index.shape,
                        (v.b.name, v.b.index.tobytes()) if v.b else None,
                    )
                    for v in layout.layers[k:]
                ),
                # Of the layers below, penalties see which entries are weights.
                tuple(v.W.key for v in layout.layers[:k]),
                tuple(p.names for p in found),
                tuple(p.head for p in found),
            )
            if key not in self._found:
                points, losses = self.stage(layer.W)
                usable = np.isfinite(losses)
                batch = read(layout, [p for p, u in zip(points, usable, strict=True) if u])
                self._found[key] = (
                    list(self._longer(batch, losses[usable], k, below, found))
                    if usable.sum() > 4
                    else []
                )
            found = self._found[key]
            below = k - 1
            if not found:
                return []
        usable = np.isfinite(self.full_losses)
        if usable.sum() < 5 or below < 0:
            return found
        batch = read(layout, [p for p, u in zip(self.full, usable, strict=True) if u])
        return self._longer(batch, self.full_losses[usable], 0, below, found)

    def _longer(
        self, batch: Batch, y: Array, k: int, below: int, found: Sequence[_Partial]
    ) -> Iterator[_Partial]:
        """Extend what is known above by the units of layers k to below (from 0).

        For k > 0 the batch has `W_k = 0`, and layer k's `z` is its bias. For k = 0 all is there.
        """
        last = len(batch.W) - 1
        unknown = range(k, min(below, last - 1) + 1)
        for partial in found:
            full = self.thorough or not unknown or partial.head is not None
            uniform = self._uniform(len(unknown), UNITS if full else COMMON)
            hits = list(self._try(batch, y, k, partial, uniform, full=full))
            if not hits and len(unknown) > 1:
                names = COMMON[: MIXED.get(len(unknown), 1)]
                mixed = [
                    (c, tuple(UNITS[n] for n in c))
                    for c in itertools.product(names, repeat=len(unknown))
                    if len(set(c)) > 1
                ]
                hits = list(self._try(batch, y, k, partial, mixed, full=False))
            if not hits and len(unknown) == 1:
                hits = list(self._fitted_leak(batch, y, k, partial))
            yield from hits

    def _uniform(
        self, count: int, names: Iterable[str]
    ) -> list[tuple[tuple[str, ...], tuple[Unit, ...]]]:
        if not count:
            return [((), ())]
        return [((name,) * count, (UNITS[name],) * count) for name in names]

    def _output_z(self, batch: Batch, k: int, units: Sequence[Unit]) -> Array:
        """Return the output layer's `z`, `(p, m, n)`, with these units from layer k up."""
        a: Array | None = batch.X if k == 0 else None
        z = batch.X
        for i in range(k, len(batch.W)):
            b = batch.shift[i] if batch.shift[i] is not None else batch.b[i]
            if a is None:
                z = np.broadcast_to(b, (len(batch.X), batch.samples, b.shape[-1]))  # type: ignore[union-attr,arg-type]
            else:
                z = np.matmul(a, batch.W[i])
                if batch.b[i] is not None:
                    z = z + batch.b[i]
                if batch.scale[i] is not None:
                    z = _normalized(z, self.norm_eps) * batch.scale[i] + batch.shift[i]
            if i < len(batch.W) - 1:
                a = units[i - k].value(z)
                mask = self.mask_for(a.shape[1:], i)
                a = a if mask is None else a * mask
        return z

    norm_eps = 1e-5
    thorough = False

    def mask_for(self, shape: tuple[int, ...], layer: int) -> Array | None:  # noqa: ARG002
        """Return the dropout mask of a hidden layer, if one was seen."""
        for mask in self.masks:
            if mask.shape == shape:
                return mask
        return None

    def _try(
        self,
        batch: Batch,
        y: Array,
        k: int,
        partial: _Partial,
        choices: Sequence[tuple[tuple[str, ...], tuple[Unit, ...]]],
        *,
        full: bool,
    ) -> Iterator[_Partial]:
        Q, _ = penalty_columns(batch)
        fitting = Fitting(y, Q, self.exact, unusual=full)
        heads = [partial.head] if partial.head else list(likely_heads(batch.Y, full=full))
        for names, units in choices:
            if time.process_time() > self.deadline:
                return
            with np.errstate(all="ignore"):
                z = self._output_z(batch, k, (*units, *partial.units))
                if not np.isfinite(z).all():
                    continue
                for head in fitting.fitting(heads, z, batch.Y):
                    yield _Partial((*names, *partial.names), (*units, *partial.units), head)

    def _fitted_leak(self, batch: Batch, y: Array, k: int, partial: _Partial) -> Iterator[_Partial]:
        """Find the slope of a leaky ReLU on the negative side, in one unknown layer."""
        head = partial.head
        if head is None:
            return
        Q, _ = penalty_columns(batch)
        fitting = Fitting(y, Q, self.exact)

        def rest(alpha: float) -> float:
            with np.errstate(all="ignore"):
                z = self._output_z(batch, k, (leaky(alpha), *partial.units))
                return fitting.rest(head, z, batch.Y)

        alpha, left = smallest(rest, np.linspace(-0.5, 1.5, 41))
        if left <= 100 * self.exact:
            name = f"leaky_relu({alpha:.6g})"
            yield _Partial((name, *partial.names), (leaky(alpha), *partial.units), partial.head)

    # --- the whole

    def _verified(self, layout: Layout, partial: _Partial) -> Model | None:
        usable = np.isfinite(self.full_losses)
        batch = read(layout, [p for p, u in zip(self.full, usable, strict=True) if u])
        y = self.full_losses[usable]
        if partial.head is None:
            return None
        normed = any(layer.scale is not None for layer in layout.layers)
        for eps in NORM_EPSILONS if normed else (0.0,):
            self.norm_eps = eps
            with np.errstate(all="ignore"):
                z = self._output_z(batch, 0, partial.units)
            fitting = Fitting(y, penalty_columns(batch)[0], self.exact)
            hit = next(iter(fitting.fitting([partial.head], z, batch.Y)), None)
            if hit is not None:
                return self._model(layout, partial, hit, batch, y, z)
        return None

    def _model(
        self, layout: Layout, partial: _Partial, head: Head, batch: Batch, y: Array, z: Array
    ) -> Model:
        Q, what = penalty_columns(batch)
        fitting = Fitting(y, Q, self.exact)
        fit = fitting.fit(head, z, batch.Y)
        sizes = np.linalg.norm(Q, axis=0)[: len(fit.penalties)]
        scale = np.max(np.abs(fit.penalties * sizes), initial=0.0)
        floor = 1e-8 * float(np.linalg.norm(fitting.goal(head)))
        penalties = tuple(
            Penalty(layer, part_, power, float(r))
            for (layer, part_, power), r, q in zip(what, fit.penalties, sizes, strict=False)
            if abs(r * q) > max(floor, 1e-6 * scale)
        )
        model = Model(
            layout, partial.names, partial.units, head.output, OUTPUTS[head.output],
            head.loss_name, head.loss, {batch.samples: fit.core}, penalties, head.rooted,
        )  # fmt: skip
        hidden = len(layout.layers) - 1
        masks = {
            k: mask
            for k in range(hidden)
            if (mask := self.mask_for((batch.samples, layout.widths[k + 1]), k)) is not None
        }
        norms = {
            k: Norm(self.norm_eps) for k in range(hidden) if layout.layers[k].scale is not None
        }
        return model.with_(masks=masks, norms=norms)


def _normalized(z: Array, eps: float) -> Array:
    centered = z - np.mean(z, axis=1, keepdims=True)
    return np.asarray(centered / np.sqrt(np.mean(centered**2, axis=1, keepdims=True) + eps))


def with_fewer_samples(
    model: Model, subject: Subject, probes: Probes, exact: float
) -> tuple[Model, int | None]:
    """Find how the loss's factor depends on the number of samples.

    Returns:
        The model with the factor for another number, and that number; None where the subject takes
        no other.
    """
    samples = next(iter(model.factors))
    if model.masks or any(v.b is not None and v.b.index.ndim == 2 for v in model.layout.layers):
        return model, None
    for fewer in _other_sizes(model.layout, samples):
        points = [part(p, model.layout.rows, range(fewer)) for p in probes.points(10)]
        y = subject.losses(points)
        if not np.isfinite(y).all():
            continue
        batch = read(model.layout, points)
        added = model.with_(factors={fewer: np.zeros(1)})
        rest = (y**2 if model.rooted else y) - (
            added.value(batch) ** 2 if model.rooted else added.value(batch)
        )
        core = added.core(added.forward(batch)[0][-1], batch.Y)
        core = core if next(iter(model.factors.values())).size > 1 else np.sum(core, axis=-1)
        fit = solve(rest, core, None)
        if fit.rest <= 10 * exact:
            return model.with_(factors={**model.factors, fewer: fit.core}), fewer
    return model, None


def _other_sizes(layout: Layout, samples: int) -> list[int]:
    # A number that is no width, so that a factor of m is no factor of a width.
    taken = {*layout.widths, *(w + 1 for w in layout.widths)}
    usual = [n for n in range(max(2, samples // 2), samples) if n not in taken]
    return [*usual[:3], *[n for n in range(2, samples) if n not in usual][:2]]
