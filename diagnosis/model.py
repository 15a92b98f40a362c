"""A model of a reader's network: what it computes, and the gradient that belongs to its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.formulas import Output, Unit
from diagnosis.losses import Loss
from diagnosis.views import Layout, View


@dataclass(frozen=True)
class Batch:
    """Points of one number of samples, in canonical form, stacked along a first axis.

    Attributes:
        W: per layer `(p, n_in, n_out)`.
        b: per layer `(p, 1, n_out)` or `(p, m, n_out)`; None without.
        scale, shift: per layer `(p, 1, n_out)` of a batch norm; None without.
        X, Y: `(p, m, n)`.
    """

    W: list[Array]
    b: list[Array | None]
    scale: list[Array | None]
    shift: list[Array | None]
    X: Array
    Y: Array

    @property
    def samples(self) -> int:
        """Samples of each point."""
        return int(self.Y.shape[1])


def _rows(view: View | None, points: Sequence[Point]) -> Array | None:
    if view is None:
        return None
    read = np.stack([view.read(point.params) for point in points])
    return read[:, None, :] if read.ndim == 2 else read


def read(layout: Layout, points: Sequence[Point]) -> Batch:
    """Bring points into canonical form."""
    layers = layout.layers
    return Batch(
        [np.stack([layer.W.read(p.params) for p in points]) for layer in layers],
        [_rows(layer.b, points) for layer in layers],
        [_rows(layer.scale, points) for layer in layers],
        [_rows(layer.shift, points) for layer in layers],
        np.stack([layout.inputs(p.X) for p in points]),
        np.stack([layout.outputs(p.Y) for p in points]),
    )


@dataclass(frozen=True)
class Penalty:
    """A term `factor * sum |p|^power` of one part of the parameters."""

    layer: int
    part: str
    power: int
    factor: float

    def slope(self, values: Array) -> Array:
        """Return the term's gradient."""
        if self.power == 1:
            return self.factor * np.sign(values)
        return 2 * self.factor * values


@dataclass(frozen=True)
class Norm:
    """Batch normalization of a hidden layer's `z`, over samples."""

    eps: float


@dataclass(frozen=True)
class Pass:
    """One way forward, and back, of a model.

    Attributes:
        A: activations, the inputs first; `(p, m, n)` each.
        Z: pre-activations, index 0 is layer 1; after a batch norm, if there is one.
        linear: `a W + b`, before a batch norm; the same as Z without.
        slopes: `f'(z)` of hidden layers, with dropout's mask and scale multiplied in.
        G: `dL/da` of the output.
        D: `dL/dz` of each layer, before a batch norm where there is one (of `linear`).
        S: `dL/dz` after the batch norm, of Z; the same as D without.
    """

    A: list[Array]
    Z: list[Array]
    linear: list[Array]
    slopes: list[Array]
    G: Array
    D: list[Array]
    S: list[Array]


@dataclass(frozen=True)
class Model:
    """A network in a layout.

    Attributes:
        layout: which array is which.
        hidden: names of the activations; `units` are their formulas.
        output_name, loss_name: names; `output` and `loss` are their formulas.
        factors: what the loss's terms are multiplied with, by number of samples: `(k,)` for class
            weights, else `(1,)`.
        penalties: what is added to the loss.
        rooted: whether the loss is the root of all that.
        masks: per hidden layer a dropout mask, its scale included, `(m, n)`.
        norms: per hidden layer a batch norm.
    """

    layout: Layout
    hidden: tuple[str, ...]
    units: tuple[Unit, ...]
    output_name: str
    output: Output
    loss_name: str
    loss: Loss
    factors: dict[int, Array]
    penalties: tuple[Penalty, ...] = ()
    rooted: bool = False
    masks: dict[int, Array] = field(default_factory=dict)
    norms: dict[int, Norm] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def with_(self, **changes: Any) -> Model:
        """Return the model with something else."""
        return replace(self, **changes)

    def forward(self, batch: Batch) -> tuple[list[Array], list[Array], list[Array]]:
        """Return A, Z and the linear parts."""
        A, Z, linear = [batch.X], [], []
        for k, W in enumerate(batch.W):
            z = np.matmul(A[-1], W)
            b = batch.b[k]
            z = z if b is None else z + b
            linear.append(z)
            if k in self.norms:
                z = self._normed(k, z)[0]
                z = batch.scale[k] * z + batch.shift[k]
            Z.append(z)
            a = self.units[k].value(z) if k < len(self.units) else self.output.value(z)
            A.append(a * self.masks[k] if k in self.masks else a)
        return A, Z, linear

    def _normed(self, k: int, z: Array) -> tuple[Array, Array]:
        centered = z - np.mean(z, axis=1, keepdims=True)
        spread = np.sqrt(np.mean(centered**2, axis=1, keepdims=True) + self.norms[k].eps)
        return centered / spread, spread

    def core(self, a: Array, y: Array) -> Array:
        """Return the loss's terms, added up, per unit: `(p, k)`."""
        with np.errstate(all="ignore"):
            return np.asarray(np.sum(self.loss.terms(a, y), axis=1))

    def value(self, batch: Batch) -> Array:
        """Return the loss at each point, `(p,)`."""
        A, _, _ = self.forward(batch)
        total = np.sum(self.core(A[-1], batch.Y) * self.factors[batch.samples], axis=-1)
        for penalty in self.penalties:
            values = (batch.W if penalty.part == "W" else batch.b)[penalty.layer]
            if values is not None:
                powers = np.abs(values) ** penalty.power
                total = total + penalty.factor * np.sum(powers, axis=(1, 2))
        return np.asarray(np.sqrt(total) if self.rooted else total)

    def run(self, batch: Batch) -> Pass:
        """Go forward and back."""
        A, Z, linear = self.forward(batch)
        G = self.loss.slope(A[-1], batch.Y) * self.factors[batch.samples]
        if self.rooted:
            G = G / (2 * self.value(batch))[:, None, None]
        slopes = [
            unit.slope_at_z(z) * self.masks.get(k, 1.0)
            for k, (unit, z) in enumerate(zip(self.units, Z[:-1], strict=True))
        ]
        D = [self.output.back(Z[-1], A[-1], G)]
        S = [D[0]]
        for k in range(len(self.units) - 1, -1, -1):
            s = np.matmul(D[0], batch.W[k + 1].swapaxes(1, 2)) * slopes[k]
            S.insert(0, s)
            D.insert(0, self.through_norm(k, s, batch, linear) if k in self.norms else s)
        return Pass(A, Z, linear, slopes, G, D, S)

    def norm_paths(self, k: int, s: Array, batch: Batch, linear: list[Array]) -> list[Array]:
        """Return the direct, the mean's and the variance's part of a batch norm's way back."""
        hat, spread = self._normed(k, linear[k])
        g = s * batch.scale[k]
        return [
            g / spread,
            np.broadcast_to(-np.mean(g, axis=1, keepdims=True) / spread, g.shape),
            -hat * np.mean(g * hat, axis=1, keepdims=True) / spread,
        ]

    def through_norm(self, k: int, s: Array, batch: Batch, linear: list[Array]) -> Array:
        """Return `dL/dz` before a batch norm from that after it. Ioffe & Szegedy, ICML 2015."""
        return np.asarray(sum(self.norm_paths(k, s, batch, linear)))

    def hat(self, k: int, linear: list[Array]) -> Array:
        """Return the normalized `z` of a layer."""
        return self._normed(k, linear[k])[0]

    def grads(self, batch: Batch) -> list[tuple[Array, Array | None]]:
        """Return `dL/dW` and `dL/db` of each layer, penalties included; stacked as the batch."""
        done = self.run(batch)
        made = []
        for k, (a, d) in enumerate(zip(done.A, done.D, strict=False)):
            dW = np.matmul(a.swapaxes(1, 2), d)
            b = batch.b[k]
            db = None
            if b is not None:
                db = d if b.shape[1] > 1 else np.sum(d, axis=1, keepdims=True)
            for penalty in self.penalties:
                if penalty.layer == k and penalty.part == "W":
                    dW = dW + self._root(batch) * penalty.slope(batch.W[k])
                elif penalty.layer == k and db is not None and b is not None:
                    db = db + self._root(batch) * penalty.slope(b)
            made.append((dW, db))
        return made

    def _root(self, batch: Batch) -> Any:
        return 1 / (2 * self.value(batch))[:, None, None] if self.rooted else 1.0

    def named_grads(self, point: Point) -> dict[str, Array]:
        """Return the gradient at a point in the author's names and shapes."""
        batch = read(self.layout, [point])
        done = self.run(batch) if self.norms else None
        found = {name: np.zeros(np.shape(array)) for name, array in point.params.items()}
        for k, (layer, (dW, db)) in enumerate(
            zip(self.layout.layers, self.grads(batch), strict=True)
        ):
            layer.W.write(found, dW[0])
            if layer.b is not None and db is not None:
                layer.b.write(found, db[0].reshape(layer.b.index.shape))
            if done is not None and layer.scale is not None and layer.shift is not None:
                layer.scale.write(found, np.sum(done.S[k] * self.hat(k, done.linear), axis=1)[0])
                layer.shift.write(found, np.sum(done.S[k], axis=1)[0])
        return found
