"""Changes that may make a training work, each of which names a fault if it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from diagnosis import starts
from diagnosis.answer import Answer, Finding
from diagnosis.calls import Point
from diagnosis.errors import SubjectFailed
from diagnosis.model import read
from diagnosis.trials import SECONDS, Case, Run, any_start_better, fresh_starts, worse

RATES = ("lr", "learning_rate", "alpha", "eta", "rate", "step_size", "learn_rate", "learningrate",
         "step", "pace", "LR", "ALPHA", "ETA", "LEARNING_RATE", "lrate", "a", "speed")  # fmt: skip
COUNTS = ("steps", "epochs", "iterations", "n_iter", "num_iterations", "n", "iters", "n_steps",
          "num_steps", "n_epochs", "num_epochs", "max_iter", "STEPS", "EPOCHS")  # fmt: skip
CLIP = 1e-12
SLOWER = (1.0, 0.1, 0.01)
PLAIN = SLOWER
SMALL, LARGE = 0.15, 4.0
WIDE, UNEVEN = 15.0, 30.0


Mend = Callable[[Case], "tuple[Finding, Run | None] | None"]


def first_that_helps(case: Case, answer: Answer) -> Iterator[Finding]:
    """Yield the first fault whose mending makes training work."""
    for mend in MENDS:
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


def log_of_zero(note: str) -> Finding:
    """Return the finding of a loss that is infinite or no number."""
    return Finding("log_of_zero", (), "the loss", 0.0, note)


def _log(case: Case) -> tuple[Finding, Run | None] | None:
    """The loss is not finite although the parameters are, and with the outputs clipped it works."""
    if case.run.finite or not all(np.isfinite(p).all() for p in case.run.params.values()):
        return None
    mended = _clipped(case)
    if mended is None or not worse(case, mended):
        return None
    bad = (
        int(np.argmin(np.isfinite(case.run.curve)))
        if not np.isfinite(case.run.curve).all()
        else len(case.run.curve)
    )
    note = f"At step {bad} the loss stops being a number while all parameters are finite."
    found = log_of_zero(f"{note} With the outputs clipped it ends at {mended.final:.3g}.")
    return found, mended


def _clipped(case: Case) -> Run | None:
    """Return the author's training with the loss of clipped outputs: the steps are the same."""
    model = case.model
    if model is None or "cross" not in model.loss_name:
        return None
    batch = read(model.layout, [Point(case.run.params, case.subject.X, case.subject.Y)])
    a = np.clip(model.forward(batch)[0][-1], CLIP, 1 - CLIP)
    final = float(np.sum(model.core(a, batch.Y) * model.factors[batch.samples]))
    known = case.run.curve[np.isfinite(case.run.curve)]
    return Run(final, np.append(known, final), case.run.params)


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


def _uphill(case: Case) -> tuple[Finding, Run | None] | None:
    """The first step goes up the gradient, and steps down work."""
    steps = case.steps
    if steps is None or not steps.uphill:
        return None
    note = "The first step goes up the gradient. "
    turned = case.train(times=-1.0) if steps.by_grads else None
    if turned is not None and worse(case, turned):
        note += "With the sign of every gradient turned, your training works."
        return _finding("optimizer_wrong", case, turned, note)
    rates = [*(times * abs(steps.rate) for times in SLOWER), *PLAIN]
    return _plain_is_better(case, rates, note)


def _crooked(case: Case) -> tuple[Finding, Run | None] | None:
    """The first step is right, the second is no known optimizer's, and plain steps work."""
    steps = case.steps
    if steps is None or steps.rate < 0 or not steps.straight or steps.known is not False:
        return None
    return _plain_is_better(
        case, (steps.rate, *PLAIN), "The second step is none of plain descent or of momentum. "
    )


def _at_no_rate(case: Case) -> tuple[Finding, Run | None] | None:
    """No rate that was tried works, and plain steps do."""
    rate = _rate(case)
    if rate is None or (case.steps is not None and case.steps.known):
        return None
    return _plain_is_better(case, (rate[2],), "")


def _plain_is_better(
    case: Case, rates: Sequence[float], note: str
) -> tuple[Finding, Run | None] | None:
    for rate in rates:
        plain = _descended(case, rate)
        if worse(case, plain):
            note += f"Plain steps of {rate:.6g} with the same gradients reach a lower loss."
            return _finding("optimizer_wrong", case, plain, note)
    return None


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
    if not worse(case, mended):
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
    runs = [r for p in fresh_starts(case, 3) if (r := case.train(params=p)) is not None]
    best = min(runs, key=lambda r: r.final if np.isfinite(r.final) else np.inf, default=None)
    if not worse(case, best):
        return None
    word = "init_too_small" if min(sizes) < SMALL and max(sizes) <= LARGE else "init_too_large"
    said = ", ".join(f"{s:.2g}" for s in sizes)
    note = f"Times sqrt(n_in), the initial weights have sizes {said}; at about 1 training works."
    return _finding(word, case, best, note)


def tries_rates(case: Case) -> bool:
    """Whether there is a way to train at another rate."""
    steps = case.steps
    return _rate(case) is not None or (
        steps is not None and steps.rate > 0 and (steps.by_grads or steps.plain)
    )


def _at(case: Case, factor: float) -> tuple[str, Run | None]:
    """Return the author's training with another rate, and what was done, in words.

    Where no name holds the rate, the gradients are scaled; where training does not call `grads` and
    takes plain steps, such steps are taken in its place. Nothing is returned where no way is open.
    """
    rate, steps = _rate(case), case.steps
    if rate is not None:
        place, name, value = rate
        said = f"With a rate of {value * factor:g} training works."
        return said, case.train(**{place: {name: value * factor}})
    said = f"With steps {factor:g} times as long training works."
    if steps is not None and steps.rate > 0 and steps.by_grads:
        return said, case.train(times=factor)
    if steps is not None and steps.rate > 0 and steps.plain:
        value = steps.rate * factor
        said = f"Its steps are plain ones of {steps.rate:.4g}; of {value:.4g}, training works."
        return said, _descended(case, value)
    return "", None


def _at_rates(
    case: Case, word: str, factors: tuple[float, ...]
) -> tuple[Finding, Run | None] | None:
    best: tuple[str, Run] | None = None
    for factor in factors:
        said, run = _at(case, factor)
        if run is not None and run.finite and (best is None or run.final < best[1].final):
            best = (said, run)
    if best is None or not worse(case, best[1]):
        return None
    return _finding(word, case, best[1], best[0])


def _slower(case: Case) -> tuple[Finding, Run | None] | None:
    return _at_rates(case, "learning_rate_too_large", (0.1, 0.01, 0.001))


def _faster(case: Case) -> tuple[Finding, Run | None] | None:
    if not case.run.finite:
        return None
    return _at_rates(case, "learning_rate_too_small", (10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7))


def _died(case: Case) -> tuple[Finding, Run | None] | None:
    """A layer is silent on all data where training ends, and another start works."""
    if case.model is None or not case.run.finite:
        return None
    found = next(starts.silent(case.subject, case.model, case.run.params), None)
    if found is None or not any_start_better(case):
        return None
    return found, None


# The first that helps is named.
MENDS: tuple[Mend, ...] = (
    _log, _uphill, _inputs, _init, _slower, _faster, _crooked, _at_no_rate, _died,
)  # fmt: skip
