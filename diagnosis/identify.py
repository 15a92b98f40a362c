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
from typing import Any

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.fitting import (
    EXACT,
    Fitting,
    likely_heads,
    penalty_columns,
    resolved,
    smallest,
)
from diagnosis.flat_vectors import cut_by
from diagnosis.formulas import UNITS, Unit, leaky
from diagnosis.kept import Kept
from diagnosis.layouts import layouts
from diagnosis.model import Batch, Model, read
from diagnosis.partial import Partial, completed, output_z
from diagnosis.probing import Probes
from diagnosis.subject import Subject
from diagnosis.views import Layout, View

STAGE_POINTS = 16
POINTS = 18
FIRST, LIKELY = 40, 12
# Two arrays out of order, and more. To read biases as weights costs as much, and leaves so many
# layers without a bias that all their activations, and mixtures, would take what time there is.
FAR = 4.0
# Half of it is for networks whose loss and output are found, but not yet what is below; and where
# biases let a small network be found layer by layer, which takes 0.06 s as a rule, half is enough.
SECONDS, ENOUGH = 2.2, 0.5
SMALL = 5000
COMMON = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "leaky_relu(0.1)", "softplus", "silu",
          "identity", "gelu")  # fmt: skip
MIXED = {2: 10, 3: 9, 4: 5, 5: 3}
NORM_EPSILONS = (1e-5, 1e-8, 0.0, 1e-3, 1e-7, 1e-6, 1e-4, 1e-10, 1e-12, 1e-2)


class Identifier:
    """The search for one subject.

    Args:
        subject: whose loss it is.
        probes: where to evaluate it.
        rough: how exactly it can be known, of its size.
        masks: dropout masks seen, in the author's layout.
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
        self.subject, self.probes, self.seen = subject, probes, masks
        self.masks: list[Array] = []  # as `(samples, units)` of the layout at hand
        self.exact = max(EXACT, 30 * rough)
        self.thorough = self.far = False
        self.seconds = self.limit = seconds
        self.began = 0.0
        self.full = probes.points(POINTS)
        self._full_losses: Array | None = None
        self._stages: dict[Any, tuple[list[Point], Array]] = {}
        self._found: dict[Any, Kept[Partial]] = {}

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

    def models(self, most: int | None = None) -> Iterator[Model]:
        """Yield models that reproduce the loss, the most usual layout first.

        Args:
            most: how many layouts to look at, each for what is common only; None for all.
        """
        self.began = time.process_time()
        finite = self.full_losses[np.isfinite(self.full_losses)]
        if not finite.size or not resolved(finite, self.exact):
            return
        least = np.inf
        for layout, thorough in self._ways(most):
            self.thorough = thorough
            if self._out_of_time():
                return
            if not np.isfinite(least):
                self.limit = self.seconds * (ENOUGH if self._by_layers(layout) else 1.0)
            least = min(least, layout.cost)
            self.far = layout.cost > least + FAR
            if self.far and self.thorough:
                continue
            for candidate in self._in_layout(layout):
                model = self._verified(layout, candidate)
                if model is not None:
                    yield model

    def _by_layers(self, layout: Layout) -> bool:
        """Whether biases let a small network be found a layer at a time, in its first layout."""
        biased = any(layer.b or layer.shift for layer in layout.layers)
        return biased and self.subject.size <= SMALL

    def _out_of_time(self) -> bool:
        """Whether to give up: sooner if not even the loss and the output are among the known."""
        at_all = not self._found or any(kept.made for kept in self._found.values())
        return time.process_time() > self.began + self.limit * (1.0 if at_all else ENOUGH)

    def _ways(self, most: int | None) -> Iterator[tuple[Layout, bool]]:
        """Yield layouts, and whether to try what is rare in them as well.

        What is common is tried in many layouts before what is rare is tried in any.
        """
        ways = layouts(self.subject.params, self.subject.X, self.subject.Y, self._cut())
        first: list[Layout] = []
        for layout in itertools.islice(ways, most or FIRST):
            first.append(layout)
            yield layout, False
        if most is None:
            yield from ((layout, True) for layout in first[:LIKELY])
            yield from ((layout, False) for layout in ways)
            yield from ((layout, True) for layout in first[LIKELY:])

    def _cut(self) -> list[Any]:
        """Look how a program with one array of parameters cuts it."""
        if len(self.subject.params) != 1:
            return []
        point = self.full[0]
        [(name, flat)] = point.params.items()
        seen = self.subject.trace(point)["arrays"]
        return cut_by([(a["name"], np.asarray(a["array"])) for a in seen], name, flat)

    # --- stages

    def _in_layout(self, layout: Layout) -> Iterator[Partial]:
        self.masks = [mask if layout.rows else mask.T for mask in self.seen]
        last = len(layout.layers) - 1
        yield from self._extended(layout, last, last, Partial((), (), None))

    def _extended(self, layout: Layout, k: int, below: int, known: Partial) -> Iterator[Partial]:
        """Yield networks that extend what is known above down to the inputs.

        The likeliest is followed to its end first: where units cannot be told apart at a stage, as
        ReLU and ReLU up to 6, to follow all at once takes twice as long with each layer.

        Args:
            layout: how to read the parameters.
            k: the layer to look at next, from 0.
            below: the highest layer whose activation is not known yet.
            known: what is.
        """
        while k > 0 and layout.layers[k].b is None and layout.layers[k].shift is None:
            k -= 1
        if k > 0:
            for longer in self._at_stage(layout, k, below, known):
                yield from self._extended(layout, k - 1, k - 1, longer)
            return
        usable = np.isfinite(self.full_losses)
        if usable.sum() < 5:
            yield known
            return
        batch = read(layout, [p for p, u in zip(self.full, usable, strict=True) if u])
        yield from self._longer(batch, self.full_losses[usable], 0, below, known)

    def _at_stage(self, layout: Layout, k: int, below: int, known: Partial) -> Iterator[Partial]:
        """Yield what layer k, whose weights are zero at a stage, may be; layouts share it."""
        key = self._key(layout, k, below, known)
        if key not in self._found:
            self._found[key] = Kept(self._looked(layout, k, below, known))
        yield from self._found[key]

    def _looked(self, layout: Layout, k: int, below: int, known: Partial) -> Iterator[Partial]:
        points, losses = self.stage(layout.layers[k].W)
        usable = np.isfinite(losses)
        if usable.sum() > 4:
            batch = read(layout, [p for p, u in zip(points, usable, strict=True) if u])
            yield from self._longer(batch, losses[usable], k, below, known)

    def _key(self, layout: Layout, k: int, below: int, known: Partial) -> object:
        """Return all that what is found at layer k depends on; layouts share much of it."""
        return (
            k,
            below,
            self.thorough,
            self.far,
            layout.targets,
            layout.rows and bool(self.seen),
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
            known.names,
            known.head,
        )

    def _longer(
        self, batch: Batch, y: Array, k: int, below: int, known: Partial
    ) -> Iterator[Partial]:
        """Extend what is known above by the units of layers k to below (from 0).

        For k > 0 the batch has `W_k = 0`, and layer k's `z` is its bias. For k = 0 all is there.
        """
        last = len(batch.W) - 1
        unknown = range(k, min(below, last - 1) + 1)
        full = self.thorough or not unknown or known.head is not None
        uniform = self._uniform(len(unknown), UNITS if full else COMMON)
        hits = list(self._try(batch, y, k, known, uniform, full=full))
        if not hits and len(unknown) > 1 and not self.far:
            names = COMMON[: MIXED.get(len(unknown), 1)]
            mixed = [
                (c, tuple(UNITS[n] for n in c))
                for c in itertools.product(names, repeat=len(unknown))
                if len(set(c)) > 1
            ]
            hits = list(self._try(batch, y, k, known, mixed, full=False))
        if not hits and len(unknown) == 1:
            hits = list(self._fitted_leak(batch, y, k, known))
        yield from hits

    def _uniform(
        self, count: int, names: Iterable[str]
    ) -> list[tuple[tuple[str, ...], tuple[Unit, ...]]]:
        if not count:
            return [((), ())]
        return [((name,) * count, (UNITS[name],) * count) for name in names]

    def _z(self, batch: Batch, k: int, units: Sequence[Unit]) -> Array:
        return output_z(batch, k, units, self.masks, NORM_EPSILONS[0])

    def _try(
        self,
        batch: Batch,
        y: Array,
        k: int,
        partial: Partial,
        choices: Sequence[tuple[tuple[str, ...], tuple[Unit, ...]]],
        *,
        full: bool,
    ) -> Iterator[Partial]:
        Q, _ = penalty_columns(batch)
        fitting = Fitting(y, Q, self.exact, unusual=full)
        heads = [partial.head] if partial.head else list(likely_heads(batch.Y, full=full))
        for names, units in choices:
            if self._out_of_time():
                return
            with np.errstate(all="ignore"):
                z = self._z(batch, k, (*units, *partial.units))
                if not np.isfinite(z).all():
                    continue
                for head in fitting.fitting(heads, z, batch.Y):
                    yield Partial((*names, *partial.names), (*units, *partial.units), head)

    def _fitted_leak(self, batch: Batch, y: Array, k: int, partial: Partial) -> Iterator[Partial]:
        """Find the slope of a leaky ReLU on the negative side, in one unknown layer."""
        head = partial.head
        if head is None:
            return
        Q, _ = penalty_columns(batch)
        fitting = Fitting(y, Q, self.exact)

        def rest(alpha: float) -> float:
            with np.errstate(all="ignore"):
                z = self._z(batch, k, (leaky(alpha), *partial.units))
                return fitting.rest(head, z, batch.Y)

        alpha, left = smallest(rest, np.linspace(-0.5, 1.5, 41))
        if left <= 100 * self.exact:
            name = f"leaky_relu({alpha:.6g})"
            yield Partial((name, *partial.names), (leaky(alpha), *partial.units), partial.head)

    # --- the whole

    def _verified(self, layout: Layout, partial: Partial) -> Model | None:
        usable = np.isfinite(self.full_losses)
        batch = read(layout, [p for p, u in zip(self.full, usable, strict=True) if u])
        y = self.full_losses[usable]
        if partial.head is None:
            return None
        normed = any(layer.scale is not None for layer in layout.layers)
        for eps in NORM_EPSILONS if normed else (0.0,):
            with np.errstate(all="ignore"):
                z = output_z(batch, 0, partial.units, self.masks, eps)
            fitting = Fitting(y, penalty_columns(batch)[0], self.exact)
            hit = next(iter(fitting.fitting([partial.head], z, batch.Y)), None)
            if hit is not None:
                return completed(
                    layout, partial, hit, batch, y, z,
                    exact=self.exact, masks=self.masks, norm_eps=eps,
                )  # fmt: skip
        return None
