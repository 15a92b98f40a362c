"""A network that is known from some layer up, and the model it becomes when all is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.calls import Array
from diagnosis.fitting import Fitting, Head, penalty_columns
from diagnosis.formulas import OUTPUTS, Unit
from diagnosis.model import Batch, Model, Norm, Penalty
from diagnosis.views import Layout


@dataclass(frozen=True)
class Partial:
    """What is known from some layer up: units of hidden layers, and the head."""

    names: tuple[str, ...]
    units: tuple[Unit, ...]
    head: Head | None


def mask_of(masks: Sequence[Array], widths: Sequence[int], k: int, samples: int) -> Array | None:
    """Return the dropout mask of hidden layer k, `(m, n)`, if one was seen.

    Of layers as wide as each other, the first has the mask that was seen first.

    Args:
        masks: those seen, in order, each `(m, n)`.
        widths: of the hidden layers.
        k: the layer, from 0.
        samples: of a point.
    """
    shape = (samples, widths[k])
    fitting = [mask for mask in masks if mask.shape == shape]
    before = list(widths[:k]).count(widths[k])
    return fitting[before] if before < len(fitting) else None


def output_z(
    batch: Batch, k: int, units: Sequence[Unit], masks: Sequence[Array], norm_eps: float
) -> Array:
    """Return the output layer's `z`, `(p, m, n)`, with these units from layer k up.

    For k > 0 nothing comes from below: `z` of layer k is its bias, or its shift.
    """
    widths = [W.shape[-1] for W in batch.W[:-1]]
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
                z = _normalized(z, norm_eps) * batch.scale[i] + batch.shift[i]
        if i < len(batch.W) - 1:
            a = units[i - k].value(z)
            mask = mask_of(masks, widths, i, batch.samples)
            a = a if mask is None else a * mask
    return z


def _normalized(z: Array, eps: float) -> Array:
    centered = z - np.mean(z, axis=1, keepdims=True)
    return np.asarray(centered / np.sqrt(np.mean(centered**2, axis=1, keepdims=True) + eps))


def completed(
    layout: Layout,
    partial: Partial,
    head: Head,
    batch: Batch,
    y: Array,
    z: Array,
    *,
    exact: float,
    masks: Sequence[Array],
    norm_eps: float,
) -> Model:
    """Return the model of a network all of which is known.

    Args:
        layout: how to read it.
        partial: its units.
        head: its output and loss.
        batch: points, with the losses `y` and the output's `z` there.
        y: see `batch`.
        z: see `batch`.
        exact: how exactly the losses are known.
        masks: dropout masks seen.
        norm_eps: what a batch norm adds to the variance, where there is one.
    """
    factors, penalties = _fitted(head, batch, y, z, exact)
    hidden = range(len(layout.layers) - 1)
    return Model(
        layout, partial.names, partial.units, head.output, OUTPUTS[head.output],
        head.loss_name, head.loss, {batch.samples: factors}, penalties, head.rooted,
        masks={
            k: mask
            for k in hidden
            if (mask := mask_of(masks, layout.widths[1:-1], k, batch.samples)) is not None
        },
        norms={k: Norm(norm_eps) for k in hidden if layout.layers[k].scale is not None},
    )  # fmt: skip


def _fitted(
    head: Head, batch: Batch, y: Array, z: Array, exact: float
) -> tuple[Array, tuple[Penalty, ...]]:
    """Return the factors of the loss's terms, and the penalties that are no rounding."""
    Q, what = penalty_columns(batch)
    fitting = Fitting(y, Q, exact)
    fit = fitting.fit(head, z, batch.Y)
    sizes = np.linalg.norm(Q, axis=0)[: len(fit.penalties)]
    scale = np.max(np.abs(fit.penalties * sizes), initial=0.0)
    floor = 1e-8 * float(np.linalg.norm(fitting.goal(head)))
    return fit.core, tuple(
        Penalty(layer, part, power, float(r))
        for (layer, part, power), r, q in zip(what, fit.penalties, sizes, strict=False)
        if abs(r * q) > max(floor, 1e-6 * scale)
    )
