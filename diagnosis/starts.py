"""What can be seen of a training before it runs: shapes, memory, the start itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnosis.answer import Finding
from diagnosis.calls import Array, Point
from diagnosis.explain import layer_words
from diagnosis.fitting import CLASSES
from diagnosis.model import Model, read
from diagnosis.probing import Probes, random_params
from diagnosis.subject import Subject

SAME = 1e-12
NO_ORDER = 1e-6  # of what their order would change: far below that, far above rounding
UNAVOIDABLE = 0.05
RANGES = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf),
          "hard_sigmoid": (0.0, 1.0), "softplus": (0.0, np.inf), "exponential": (0.0, np.inf),
          "softsign": (-1.0, 1.0)}  # fmt: skip
SILENT_AT_ZERO = ("relu", "leaky_relu(0)", "relu6")


def no_numbers(subject: Subject) -> str:
    """Say which of the arrays handed over hold NaN or infinity, and what to do.

    Empty if none does, or if the loss is a number all the same, as one that leaves out gaps is.
    """
    arrays = {f"params['{name}']": a for name, a in subject.params.items()}
    cures = dict.fromkeys(arrays, "Hand over the starting weights, from before any training.")
    for name in ("X", "Y"):
        arrays[name] = getattr(subject, name)
        cures[name] = "Drop these samples or fill them in: one such number spoils every loss."
    said, todo = [], []
    for name, array in arrays.items():
        a = np.asarray(array, float)
        bad = int(np.count_nonzero(~np.isfinite(a)))
        if bad:
            said.append(f"{name} ({bad} of {a.size} entries)")
            todo.append(cures[name])
    if not said or np.isfinite(subject.losses([subject.start])[0]):
        return ""
    what = " ".join(dict.fromkeys(todo))
    return f"`params`, `X` and `Y` must be finite; got NaN or infinity in {', '.join(said)}. {what}"


def broadcast_labels(subject: Subject, probes: Probes | None = None) -> Finding | None:
    """Find labels that are compared with every output: their order does not matter then.

    Args:
        subject: to be looked at.
        probes: where to; None where the gradient cannot be had, so that none are known.
    """
    Y = np.asarray(subject.Y)
    if Y.size < 3 or Y.ndim > 2 or (Y.ndim == 2 and 1 not in Y.shape) or np.all(Y.flat[0] == Y):
        return None
    if Y.size not in np.shape(subject.X) or (probes and "Y" in probes.unused["loss"]):
        return None
    rng = np.random.default_rng(0)
    points = [
        probes.point() if probes else subject.start._replace(
            params=random_params(subject.params, rng))
        for _ in range(3)
    ]  # fmt: skip
    turned = [p._replace(Y=np.roll(Y.reshape(-1), 1).reshape(Y.shape)) for p in points]
    own, other = subject.losses(points), subject.losses(turned)
    if not np.isfinite(own).all() or not _same(own, other, Y.astype(float)):
        return None
    shape = (Y.size, 1) if Y.ndim == 1 else (Y.size,)
    evidence = (
        f"Y has shape {Y.shape}. With the labels in another order the loss is the same, so it "
        f"compares all with all; with Y of shape {shape} each output meets its own."
    )
    return Finding("label_shape_broadcast", (), "the loss", 0.0, evidence)


def _same(own: Array, other: Array, Y: Array) -> bool:
    """Whether losses are the same, seen against what the order of labels would change.

    That is as large a part of what the losses vary by as the labels' differences are of the
    labels; where rounding hides it, as with a few seconds of a time of 1e9, nothing is known.
    """
    visible = NO_ORDER * float(np.ptp(own)) * float(np.ptp(Y) / np.max(np.abs(Y)))
    rounding = 64 * np.finfo(float).eps * float(np.max(np.abs(own)))
    return bool(rounding <= visible and (np.abs(own - other) <= visible).all())


def shared_arrays(subject: Subject) -> Finding | None:
    """Find parameters that are the same memory."""
    if not subject.shared:
        return None
    names = tuple(dict.fromkeys(name for pair in subject.shared for name in pair))
    pairs = ", ".join(" and ".join(pair) for pair in subject.shared)
    return Finding("shared_parameter_array", names, "the start", 0.0, f"{pairs} are one array.")


def from_the_model(subject: Subject, model: Model) -> Iterator[Finding]:
    """Yield what the model shows at the author's start."""
    biases = [layer.b for layer in model.layout.layers]
    spread = [k for k, b in enumerate(biases) if b and b.index.ndim == 2 and len(b.index) > 1]
    if spread:
        names = tuple(biases[k].name for k in spread)  # type: ignore[union-attr]
        said = " and ".join(f"{n} has shape {subject.params[n].shape}" for n in names)
        where = ", ".join(layer_words(model, k) for k in spread)
        samples = len(model.layout.outputs(subject.Y))
        yield Finding("bias_per_sample", names, where, 0.0, f"{said} for {samples} samples.")
    yield from _range(subject, model)
    if model.output.axis in ("samples", "everything"):
        last = len(model.layout.layers) - 1
        yield Finding(
            "softmax_wrong_axis",
            (),
            layer_words(model, last),
            0.0,
            f"It is normalized over {model.output.axis}; the gradient belongs to that.",
        )


def _range(subject: Subject, model: Model) -> Iterator[Finding]:
    low, high = RANGES.get(model.output_name, (-np.inf, np.inf))
    Y = model.layout.outputs(subject.Y)
    of_classes = model.loss_name in CLASSES
    if of_classes:
        low, high = 0.0, 1.0
    elif model.loss_name not in ("squared_error", "absolute_error", "huber"):
        return
    outside = Y - np.clip(Y, low, high)
    spread = float(np.sum((Y - Y.mean(axis=0)) ** 2)) or 1.0
    share = float(np.sum(outside**2)) / spread
    if share > UNAVOIDABLE:
        last = len(model.layout.layers) - 1
        evidence = (
            f"Targets go from {Y.min():.4g} to {Y.max():.4g}, the output from {low:g} to {high:g}: "
            f"{np.mean(outside != 0):.0%} of the targets cannot be reached."
        )
        cure = ""
        if of_classes:
            evidence += " For such targets cross entropy has no least value."
            cure = "Count the labels so that they are 0 and 1."
        where = layer_words(model, last)
        yield Finding("targets_outside_output_range", (), where, 0.0, evidence, repair=cure)


def silent(subject: Subject, model: Model, params: dict[str, Array]) -> Iterator[Finding]:
    """Yield layers that give 0 on all data, with these parameters."""
    batch = read(model.layout, [Point(params, subject.X, subject.Y)])
    with np.errstate(all="ignore"):
        A, Z, _ = model.forward(batch)
    last = len(model.layout.layers) - 1
    for k in range(last):
        if model.hidden[k] in SILENT_AT_ZERO and np.all(Z[k] <= 0):
            name = model.layout.layers[k].W.name
            if not np.any(batch.W[k]) and not np.any(Z[k]):
                note = "They are those of this layer: z is 0 there, where ReLU has no slope."
                yield Finding("zero_init", (name,), layer_words(model, k), 0.0, note)
                return
            yield Finding(
                "dead_units",
                (name,),
                layer_words(model, k),
                0.0,
                f"Seen of all {A[k + 1].shape[2]} units, on all {A[0].shape[1]} samples.",
            )
            return
    if model.output_name == "relu" and np.all(Z[last] <= 0):
        name = model.layout.layers[last].W.name
        yield Finding(
            "relu_output_dead",
            (name,),
            layer_words(model, last),
            0.0,
            f"Seen on all {A[0].shape[1]} samples.",
        )


def symmetric(subject: Subject, model: Model) -> Finding | None:
    """Find a hidden layer all units of which are equal, with equal weights in and out."""
    layers = model.layout.layers
    params = subject.params
    hidden = range(len(layers) - 1)
    alike = [k for k in hidden if layers[k].W.index.shape[1] > 1 and _alike(params, layers, k)]
    if not alike:
        return None
    zero = all(not np.any(layers[k].W.read(params)) for k in range(len(layers)))
    names = tuple(dict.fromkeys(layers[k].W.name for k in alike))
    where = ", ".join(layer_words(model, k) for k in alike)
    if zero or all(not np.any(layers[k].W.read(params)) for k in alike):
        return Finding("zero_init", names, where, 0.0, "")
    return Finding(
        "symmetric_init",
        names,
        where,
        0.0,
        "Weights in, biases and weights out of all its units are equal.",
    )


def _alike(params: dict[str, Array], layers: tuple[object, ...], k: int) -> bool:
    here, above = layers[k], layers[k + 1]
    W = here.W.read(params)  # type: ignore[attr-defined]
    b = here.b.read(params) if here.b is not None else np.zeros(W.shape[1])  # type: ignore[attr-defined]
    out = above.W.read(params)  # type: ignore[attr-defined]
    same_in = np.ptp(W, axis=1).max() <= SAME and np.ptp(b, axis=-1).max() <= SAME
    return bool(same_in and np.ptp(out, axis=0).max() <= SAME)
