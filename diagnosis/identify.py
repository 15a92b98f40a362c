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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.formulas import EPSILONS, LOSSES, OUTPUTS, UNITS, WITH_EPS, Loss, Unit, leaky, _huber
from diagnosis.layouts import Layout, View, cut_by, layouts
from diagnosis.model import Batch, Model, Norm, Penalty, read
from diagnosis.probing import Probes, part
from diagnosis.subject import Subject

EXACT = 1e-9
NEAR = 2e-2
WEIGHTED = 0.5
STAGE_POINTS = 16
POINTS = 18
FIRST, LIKELY = 40, 12
SECONDS = 3.0
COMMON = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "leaky_relu(0.1)", "softplus", "silu",
          "identity", "gelu")  # fmt: skip
MIXED = {2: 10, 3: 9, 4: 5, 5: 3}
COMMON_OUTPUTS = ("softmax", "sigmoid", "identity", "tanh", "relu", "softmax_over_samples",
                  "softmax_over_everything")  # fmt: skip
COMMON_LOSSES = ("squared_error", "binary_cross_entropy", "cross_entropy", "absolute_error",
                 "logits_cross_entropy", "softmax_logits_cross_entropy")  # fmt: skip
NORM_EPSILONS = (1e-5, 1e-8, 0.0, 1e-3, 1e-7, 1e-6, 1e-4, 1e-10, 1e-12, 1e-2)


@dataclass(frozen=True)
class Head:
    """An output unit with a loss, and what is known of their factor."""

    output: str
    loss_name: str
    loss: Loss
    rooted: bool = False
    split: bool = False


@dataclass(frozen=True)
class Fit:
    """Coefficients of one candidate: of the core, of each penalty, and what is left over."""

    core: Array
    penalties: Array
    rest: float


@dataclass(frozen=True)
class _Partial:
    """What is known from some layer up: units of hidden layers, and the head."""

    names: tuple[str, ...]
    units: tuple[Unit, ...]
    head: Head | None


def _columns(batch: Batch) -> tuple[Array, list[tuple[int, str, int]]]:
    """Return `(p, q)` penalty terms and what each is."""
    columns, what = [], []
    for power in (2, 1):
        for k, (W, b) in enumerate(zip(batch.W, batch.b, strict=True)):
            for part_, values in (("W", W), ("b", b)):
                if values is not None and (power == 2 or part_ == "W"):
                    columns.append(np.sum(np.abs(values) ** power, axis=(1, 2)))
                    what.append((k, part_, power))
    return np.stack(columns, axis=1), what


def _solve(y: Array, core: Array, Q: Array | None) -> Fit:
    """Fit `y = core c + Q r`; core is `(p,)` or `(p, k)`."""
    core = core[:, None] if core.ndim == 1 else core
    full = core if Q is None else np.hstack([core, Q])
    if not np.isfinite(full).all() or len(y) <= full.shape[1]:
        return Fit(np.zeros(core.shape[1]), np.zeros(0), np.inf)
    size = np.linalg.norm(full, axis=0)
    size[size == 0] = 1
    solution = np.linalg.lstsq(full / size, y, rcond=1e-13)[0] / size
    rest = float(np.linalg.norm(y - full @ solution)) / max(float(np.linalg.norm(y)), 1e-300)
    k = core.shape[1]
    if np.linalg.norm(core @ solution[:k]) < 1e-7 * np.linalg.norm(y):
        rest = np.inf
    return Fit(solution[:k], solution[k:], rest)


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
        if self._full_losses is None:
            self._full_losses = self.subject.losses(self.full)
        return self._full_losses

    def stage(self, view: View) -> tuple[list[Point], Array]:
        """Return points where this part of the parameters is zero, and the losses there."""
        if view.key not in self._stages:
            points = []
            for point in self.probes.points(STAGE_POINTS):
                view.write(point.params, np.zeros(view.index.shape))  # type: ignore[arg-type]
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
        Q, _ = _columns(batch)
        fitting = _Fitting(y, Q, self.exact, unusual=full)
        heads = [partial.head] if partial.head else list(_heads(batch.Y, full=full))
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
        if partial.head is None:
            return
        Q, _ = _columns(batch)
        fitting = _Fitting(y, Q, self.exact)

        def rest(alpha: float) -> float:
            with np.errstate(all="ignore"):
                z = self._output_z(batch, k, (leaky(alpha), *partial.units))
                assert partial.head is not None
                return fitting.rest(partial.head, z, batch.Y)

        alpha, left = smallest(rest, np.linspace(-0.5, 1.5, 41))
        if left <= 100 * self.exact:
            name = f"leaky_relu({alpha:.6g})"
            yield _Partial((name, *partial.names), (leaky(alpha), *partial.units), partial.head)

    # --- the whole

    def _verified(self, layout: Layout, partial: _Partial) -> Model | None:
        usable = np.isfinite(self.full_losses)
        batch = read(layout, [p for p, u in zip(self.full, usable, strict=True) if u])
        y = self.full_losses[usable]
        assert partial.head is not None
        normed = any(layer.scale is not None for layer in layout.layers)
        for eps in NORM_EPSILONS if normed else (0.0,):
            self.norm_eps = eps
            with np.errstate(all="ignore"):
                z = self._output_z(batch, 0, partial.units)
            fitting = _Fitting(y, _columns(batch)[0], self.exact)
            hit = next(iter(fitting.fitting([partial.head], z, batch.Y)), None)
            if hit is not None:
                return self._model(layout, replace(partial, head=hit), batch, y, z)
        return None

    def _model(self, layout: Layout, partial: _Partial, batch: Batch, y: Array, z: Array) -> Model:
        head = partial.head
        assert head is not None
        Q, what = _columns(batch)
        fitting = _Fitting(y, Q, self.exact)
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


def _heads(Y: Array, *, full: bool) -> Iterator[Head]:
    """Yield outputs with losses that make sense for such targets."""
    outputs = OUTPUTS if full else COMMON_OUTPUTS
    share = bool(np.all((Y >= 0) & (Y <= 1)))
    signs = bool(np.all((Y == 1) | (Y == -1) | (Y == 0)))
    for output in outputs:
        if output.startswith("softmax") and Y.shape[-1] == 1 and output == "softmax":
            continue
        losses = list(LOSSES if full else COMMON_LOSSES)
        if output.startswith("softmax"):
            # For one-hot targets of two classes this and the binary one are the same.
            losses.sort(key=lambda name: name != "cross_entropy")
        for loss in losses:
            if (share or "cross_entropy" not in loss and loss != "kullback_leibler") and (
                signs or "hinge" not in loss and loss != "logistic(-1/1)"
            ):
                yield Head(output, loss, LOSSES[loss])


class _Fitting:
    """Least squares of one set of points: `y = c core + Q r` for many cores at once."""

    def __init__(self, y: Array, Q: Array, exact: float, *, unusual: bool = True) -> None:
        self.y, self.Q, self.exact, self.unusual = y, Q, exact, unusual
        size = np.linalg.norm(Q, axis=0)
        self.used = Q[:, size > 0] / size[size > 0]
        left, weights, _ = np.linalg.svd(self.used, full_matrices=False)
        self.basis = left[:, weights > 1e-13 * weights.max(initial=0.0)]

    def goal(self, head: Head) -> Array:
        return self.y**2 if head.rooted else self.y

    def rests(self, cores: Array, y: Array) -> Array:
        """Return what each core, `(n, p)`, leaves over, without penalties or with them."""
        size = float(np.linalg.norm(y)) or 1e-300

        def left_over(C: Array, v: Array) -> Array:
            square = np.sum(C * C, axis=1)
            c = (C @ v) / np.where(square > 0, square, 1)
            rest = np.linalg.norm(v - c[:, None] * C, axis=1) / size
            seen = np.abs(c) * np.sqrt(square) > 1e-7 * size
            return np.where(seen, rest, np.inf)

        plain = left_over(cores, y)
        if self.basis.shape[1] + 2 > len(y):
            return plain
        inside = cores - (cores @ self.basis) @ self.basis.T
        return np.minimum(plain, left_over(inside, y - self.basis @ (self.basis.T @ y)))

    def fitting(self, heads: Sequence[Head], z: Array, Y: Array) -> Iterator[Head]:
        """Yield those heads that reproduce the loss, the exact ones alone if there are any."""
        known, cores = [], []
        outputs: dict[str, Array] = {}
        for head in heads:
            if head.output not in outputs:
                outputs[head.output] = OUTPUTS[head.output].value(z)
            if head.split:
                if self._split_rest(head, outputs[head.output], Y) <= self.exact:
                    yield head
                continue
            core = head.loss.terms(outputs[head.output], Y).sum(axis=(1, 2))
            if np.isfinite(core).all():
                known.append(head)
                cores.append(core)
        if not cores:
            return
        stacked = np.array(cores)
        goal = self.goal(known[0])
        rests = self.rests(stacked, goal)
        hits = [h for h, r in zip(known, rests, strict=True) if r <= self.exact]
        if not hits and len(heads) > 1:
            squared = _rests_plain(stacked, self.y**2)
            hits = [
                replace(h, rooted=True)
                for h, r in zip(known, squared, strict=True)
                if r <= self.exact
            ]
        if not hits and self.unusual:
            hits = list(self._unusual(known, rests, outputs, Y))
        yield from hits

    def _split_rest(self, head: Head, a: Array, Y: Array) -> float:
        terms = np.sum(head.loss.terms(a, Y), axis=1)
        plain = _solve(self.y, terms, None).rest
        return plain if plain <= self.exact else _solve(self.y, terms, self.Q).rest

    def _unusual(
        self, heads: Sequence[Head], rests: Array, outputs: dict[str, Array], Y: Array
    ) -> Iterator[Head]:
        """Yield heads with something added in the logarithm, or with weights of classes."""
        for head, rest in zip(heads, rests, strict=True):
            if head.loss_name in WITH_EPS and not head.loss.eps and rest < NEAR:
                for eps in EPSILONS:
                    other = replace(head, loss=WITH_EPS[head.loss_name](eps))
                    core = other.loss.terms(outputs[head.output], Y).sum(axis=(1, 2))
                    if np.isfinite(core).all() and self.rests(core[None], self.y)[0] <= self.exact:
                        yield other
                        return
        if len(heads) < 2 or Y.shape[-1] == 1 or rests.min() > WEIGHTED:
            return
        for head in heads:
            if head.loss_name not in COMMON_LOSSES or head.output not in COMMON_OUTPUTS[:5]:
                continue
            split = replace(head, split=True)
            if (
                len(self.y) > Y.shape[-1] + 3
                and self._split_rest(split, outputs[head.output], Y) <= self.exact
            ):
                yield split
                return

    def rest(self, head: Head, z: Array, Y: Array) -> float:
        a = OUTPUTS[head.output].value(z)
        if head.split:
            return self._split_rest(head, a, Y)
        return float(self.rests(head.loss.terms(a, Y).sum(axis=(1, 2))[None], self.goal(head))[0])

    def fit(self, head: Head, z: Array, Y: Array) -> Fit:
        terms = head.loss.terms(OUTPUTS[head.output].value(z), Y)
        core = np.sum(terms, axis=1) if head.split else np.sum(terms, axis=(1, 2))
        plain = _solve(self.goal(head), core, None)
        if plain.rest <= self.exact:
            return Fit(plain.core, np.zeros(0), plain.rest)
        return _solve(self.goal(head), core, self.Q)


def _rests_plain(cores: Array, y: Array) -> Array:
    square = np.sum(cores * cores, axis=1)
    c = (cores @ y) / np.where(square > 0, square, 1)
    return np.asarray(np.linalg.norm(y - c[:, None] * cores, axis=1) / np.linalg.norm(y))


def smallest(function: Any, grid: Array) -> tuple[float, float]:
    """Return where a function of one number is smallest, and its value: a grid, then thirds."""
    values = [function(float(t)) for t in grid]
    best = int(np.nanargmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(70):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if function(float(left)) < function(float(right)):
            high = right
        else:
            low = left
    middle = float((low + high) / 2)
    return middle, function(middle)


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
        fit = _solve(rest, core, None)
        if fit.rest <= 10 * exact:
            return model.with_(factors={**model.factors, fewer: fit.core}), fewer
    return model, None


def _other_sizes(layout: Layout, samples: int) -> list[int]:
    # A number that is no width, so that a factor of m is no factor of a width.
    taken = {*layout.widths, *(w + 1 for w in layout.widths)}
    usual = [n for n in range(max(2, samples // 2), samples) if n not in taken]
    return [*usual[:3], *[n for n in range(2, samples) if n not in usual][:2]]
