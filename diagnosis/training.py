"""When the gradient is right and training still fails: mend one thing, train again, see.

A fault is named only if training as it is fails, and training with that one thing mended does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import default_rng

from diagnosis import starts
from diagnosis.answer import Answer, Curves, Finding
from diagnosis.calls import Array, Point
from diagnosis.errors import CallFailed, SubjectFailed
from diagnosis.model import Model, read
from diagnosis.probing import Probes
from diagnosis.subject import Subject

RATES = ("lr", "learning_rate", "alpha", "eta", "rate", "step_size", "learn_rate", "learningrate",
         "step", "pace", "LR", "ALPHA", "ETA", "LEARNING_RATE", "lrate", "a", "speed")  # fmt: skip
COUNTS = ("steps", "epochs", "iterations", "n_iter", "num_iterations", "n", "iters", "n_steps",
          "num_steps", "n_epochs", "num_epochs", "max_iter", "STEPS", "EPOCHS")  # fmt: skip
STUCK = 0.9
BETTER = 0.5
SECONDS = 30.0
SMALL, LARGE = 0.15, 4.0
WIDE, UNEVEN = 15.0, 30.0


@dataclass(frozen=True)
class Run:
    """How a training ended."""

    final: float
    curve: Array
    params: dict[str, Array]

    @property
    def finite(self) -> bool:
        """Whether the loss was a number all along."""
        return bool(np.isfinite(self.curve).all() and np.isfinite(self.final))


@dataclass(frozen=True)
class Case:
    """What a mend can look at."""

    subject: Subject
    model: Model | None
    probes: Probes
    run: Run
    train: Callable[..., Run | None]
    prior: float


Mend = Callable[[Case], "tuple[str, Run] | None"]


def check_training(subject: Subject, model: Model | None, answer: Answer, probes: Probes) -> None:
    """Add what makes training fail, and set the kind, where something does."""
    found = _before(subject, model, probes)
    run = _trained(subject) if subject.train is not None else None
    case = None
    if run is not None:
        case = Case(subject, model, probes, run, _trainer(subject), _prior(subject, model))
        answer.curves = Curves(author=run.curve, steps=len(run.curve))
    found = [f for f in found if case is None or _confirmed(f, case)]
    start = float(subject.losses([subject.start])[0])
    if not found and not np.isfinite(start):
        found = [_log_of_zero(f"At the start the loss is {start}.")]
    if not found and case is not None and _fails(case):
        found = list(_mended(case, answer))
    if found:
        answer.kind = "training"
        answer.findings += found


def _before(subject: Subject, model: Model | None, probes: Probes) -> list[Finding]:
    """Return what can be seen without training."""
    found: list[Finding | None] = [
        starts.broadcast_labels(subject, probes),
        starts.shared_arrays(subject),
    ]
    if model is not None:
        found += list(starts.from_the_model(subject, model))
        symmetric = starts.symmetric(subject, model)
        found.append(symmetric)
        if symmetric is None:
            params = {n: np.asarray(a, float) for n, a in subject.params.items()}
            found += list(starts.silent(subject, model, params))
    return [f for f in found if f is not None]


# --- running the author's training


def _trained(
    subject: Subject,
    *,
    params: dict[str, Array] | None = None,
    X: Array | None = None,
    shared: bool = False,
    **changes: Any,
) -> Run | None:
    point = Point(params or subject.params, subject.X if X is None else X, subject.Y)
    try:
        told = subject.ask("train", seconds=SECONDS, shared=shared, **point._asdict(), **changes)
    except CallFailed:
        return None
    except SubjectFailed:
        return None
    curve = np.asarray(told["losses"], float)
    if not set(told["params"]) >= set(subject.params) or not curve.size:
        return None
    try:
        ended = {n: told["params"][n].reshape(subject.params[n].shape) for n in subject.params}
    except ValueError:
        return None
    final = float(subject.losses([Point(ended, point.X, subject.Y)])[0])
    return Run(final, curve, ended)


def _trainer(subject: Subject) -> Callable[..., Run | None]:
    def train(**changes: Any) -> Run | None:
        return _trained(subject, **changes)

    return train


def _prior(subject: Subject, model: Model | None) -> float:
    """Return the loss of the best output that does not look at the input; inf if unknown."""
    if model is None:
        return float(subject.losses([subject.start])[0])
    batch = read(model.layout, [subject.start])
    y = batch.Y
    middle = np.broadcast_to(np.mean(y, axis=1, keepdims=True), y.shape)
    factor = model.factors.get(batch.samples)
    if factor is None:
        return float("inf")
    with np.errstate(all="ignore"):
        value = float(
            np.sum(
                model.core(
                    np.clip(middle, 1e-12, 1 - 1e-12) if "cross" in model.loss_name else middle, y
                )
                * factor
            )
        )
    start = float(subject.losses([subject.start])[0])
    return value if np.isfinite(value) else start


def _fails(case: Case) -> bool:
    """Whether the author's training ends no better than an output that ignores the input."""
    if not case.run.finite:
        return True
    first = float(case.run.curve[0])
    floor = case.prior if np.isfinite(case.prior) else first
    return case.run.final > STUCK * min(floor, max(first, case.run.final))


def _worse(case: Case, mended: Run | None) -> bool:
    """Whether the author's training ends clearly worse than a mended one."""
    if mended is None or not np.isfinite(mended.final):
        return False
    own = case.run.final if np.isfinite(case.run.final) else np.inf
    return mended.final < BETTER * min(own, case.prior)


# --- faults seen before training, confirmed by it


def _confirmed(finding: Finding, case: Case) -> bool:
    """Whether a fault seen at the start does harm; some are wrong whatever training does."""
    word = finding.defect
    if word in ("zero_init", "symmetric_init", "dead_units", "relu_output_dead"):
        return not _learned(case) and _any_start_better(case)
    if word == "shared_parameter_array":
        together = case.train(shared=True)
        return together is None or not np.allclose(
            together.curve, case.run.curve, rtol=1e-9, equal_nan=True
        )
    return True


def _learned(case: Case) -> bool:
    return case.run.finite and case.run.final < BETTER * case.prior


def _any_start_better(case: Case) -> bool:
    runs = [case.train(params=p) for p in _fresh_starts(case, 3)]
    ended = [r.final for r in runs if r is not None and np.isfinite(r.final)]
    own = case.run.final if np.isfinite(case.run.final) else np.inf
    return not ended or min(ended) < 0.9 * own


def _fresh_starts(case: Case, count: int, bias: float = 0.0) -> Iterator[dict[str, Array]]:
    """Yield starts with weights of variance 2/n_in for ReLU and 1/n_in else, and small biases."""
    model = case.model
    for seed in range(count):
        rng = default_rng(seed)
        params = {n: np.array(a, float) for n, a in case.subject.params.items()}
        if model is None:
            for name, a in params.items():
                if a.ndim == 2 and min(a.shape) > 1:
                    params[name] = rng.standard_normal(a.shape) / np.sqrt(max(a.shape))
            yield params
            continue
        for k, layer in enumerate(model.layout.layers):
            n_in = layer.W.index.shape[0]
            gain = 2.0 if k < len(model.hidden) and "relu" in model.hidden[k] else 1.0
            layer.W.write(params, rng.standard_normal(layer.W.index.shape) * np.sqrt(gain / n_in))
            if layer.b is not None:
                layer.b.write(params, np.full(layer.b.index.shape, bias))
        yield params


# --- mends


def _mended(case: Case, answer: Answer) -> Iterator[Finding]:
    """Yield the first fault whose mending makes training work."""
    for mend in (_log, _step, _inputs, _init, _slower, _faster, _died):
        hit = mend(case)
        if hit is None:
            continue
        found, mended = hit
        if answer.curves is not None and mended is not None:
            answer.curves.mended = mended.curve
        yield found
        return


def _finding(word: str, case: Case, mended: Run | None, note: str) -> tuple[Finding, Run | None]:
    ends = f"As it is, your training ends at a loss of {case.run.final:.3g}"
    if mended is not None:
        ends += f"; mended, at {mended.final:.3g}"
    return Finding(word, (), "training", 0.0, f"{note} {ends}."), mended


def _log_of_zero(note: str) -> Finding:
    return Finding("log_of_zero", (), "the loss", 0.0, note)


def _log(case: Case) -> tuple[Finding, Run | None] | None:
    """The loss is not finite although the parameters are, and of moderate size."""
    if case.run.finite or not all(np.isfinite(p).all() for p in case.run.params.values()):
        return None
    if max(float(np.abs(p).max()) for p in case.run.params.values()) > 1e6:
        return None
    bad = (
        int(np.argmin(np.isfinite(case.run.curve)))
        if not np.isfinite(case.run.curve).all()
        else len(case.run.curve)
    )
    return _log_of_zero(
        f"At step {bad} the loss stops being a number while all parameters are finite."
    ), None


def _rate(case: Case) -> tuple[str, str, float] | None:
    """Return where the learning rate is ("settings" or "globals"), its name and its value."""
    defaults = case.subject.train or {}
    for place, known in (("settings", defaults), ("globals", case.subject.settings)):
        for name in RATES:
            if name in known and known[name] > 0:
                return place, name, known[name]
    return None


def _count(case: Case) -> int:
    defaults = case.subject.train or {}
    named = [defaults[n] for n in COUNTS if n in defaults]
    return int(named[0]) if named else len(case.run.curve)


def _step(case: Case) -> tuple[Finding, Run | None] | None:
    """Plain steps of the same size work, and the author's do not."""
    rate = _rate(case)
    if rate is None:
        return None
    first = case.train(**_one_step(case)) if _one_step(case) else None
    wrong = first is not None and _uphill(case, first, rate[2])
    plain = _descended(case, rate[2])
    if not _worse(case, plain) and not (wrong and plain is not None):
        return None
    note = (
        "The first step goes up the gradient."
        if wrong
        else (f"Plain steps with the same gradients and rate, {rate[2]:g}, reach a lower loss.")
    )
    return _finding("optimizer_wrong", case, plain, note)


def _one_step(case: Case) -> dict[str, Any]:
    defaults = case.subject.train or {}
    name = next((n for n in COUNTS if n in defaults), None)
    return {"settings": {name: 1}} if name else {}


def _uphill(case: Case, first: Run, rate: float) -> bool:  # noqa: ARG001
    grads = case.subject.try_grads(case.subject.start)
    if grads is None:
        return False
    along = sum(
        float(np.sum((first.params[n] - np.asarray(case.subject.params[n], float)) * g))
        for n, g in grads.items()
    )
    return along > 0


def _descended(case: Case, rate: float) -> Run | None:
    steps = min(_count(case), 5000)
    try:
        told = case.subject.ask(
            "descend", seconds=SECONDS, steps=steps, lr=rate, **case.subject.start._asdict()
        )
    except SubjectFailed:
        return None
    curve = np.asarray(told["losses"], float)
    return Run(float(curve[-1]), curve, told["params"])


def _inputs(case: Case) -> tuple[Finding, Run | None] | None:
    X = np.asarray(case.subject.X, float)
    if X.ndim != 2:
        return None
    axis = 0 if case.model is None or case.model.layout.rows else 1
    spread = np.std(X, axis=axis, keepdims=True)
    moved = spread > 0
    size = float(np.sqrt(np.mean(X**2)))
    used = spread[moved]
    if size < WIDE and (used.size < 2 or used.max() / used.min() < UNEVEN):
        return None
    scaled = (X - X.mean(axis=axis, keepdims=True)) / np.where(moved, spread, 1.0)
    mended = case.train(X=scaled)
    if not _worse(case, mended):
        return None
    note = f"Inputs go from {X.min():.4g} to {X.max():.4g}; standardized, training works."
    return _finding("unnormalized_inputs", case, mended, note)


def _init(case: Case) -> tuple[Finding, Run | None] | None:
    """Another size of the initial weights makes training work."""
    if case.model is None:
        return None
    sizes = [
        float(np.sqrt(np.mean(layer.W.read(case.subject.params) ** 2) * layer.W.index.shape[0]))
        for layer in case.model.layout.layers
    ]
    if min(sizes) >= SMALL and max(sizes) <= LARGE:
        return None
    runs = [r for p in _fresh_starts(case, 3) if (r := case.train(params=p)) is not None]
    best = min(runs, key=lambda r: r.final if np.isfinite(r.final) else np.inf, default=None)
    if not _worse(case, best):
        return None
    word = "init_too_small" if min(sizes) < SMALL and max(sizes) <= LARGE else "init_too_large"
    said = ", ".join(f"{s:.2g}" for s in sizes)
    note = f"Times sqrt(n_in), the initial weights have sizes {said}; at about 1 training works."
    return _finding(word, case, best, note)


def _at_rates(case: Case, factors: tuple[float, ...]) -> tuple[float, Run] | None:
    rate = _rate(case)
    if rate is None:
        return None
    place, name, value = rate
    best: tuple[float, Run] | None = None
    for factor in factors:
        run = case.train(**{place: {name: value * factor}})
        if run is not None and run.finite and (best is None or run.final < best[1].final):
            best = (value * factor, run)
    return best if best is not None and _worse(case, best[1]) else None


def _slower(case: Case) -> tuple[Finding, Run | None] | None:
    hit = _at_rates(case, (0.1, 0.01, 0.001))
    if hit is None:
        return None
    return _finding(
        "learning_rate_too_large", case, hit[1], f"With a rate of {hit[0]:g} training works."
    )


def _faster(case: Case) -> tuple[Finding, Run | None] | None:
    if not case.run.finite:
        return None
    hit = _at_rates(case, (10.0, 100.0, 1000.0, 10000.0))
    if hit is None:
        return None
    return _finding(
        "learning_rate_too_small", case, hit[1], f"With a rate of {hit[0]:g} training works."
    )


def _died(case: Case) -> tuple[Finding, Run | None] | None:
    """A layer is silent on all data where training ends, and another start works."""
    if case.model is None or not case.run.finite:
        return None
    found = next(starts.silent(case.subject, case.model, case.run.params), None)
    if found is None or not _any_start_better(case):
        return None
    return found, None
