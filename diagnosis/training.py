"""When the gradient is right and training still fails: mend one thing, train again, see.

A fault is named only if training as it is fails, and training with that one thing mended does not.
"""

from __future__ import annotations

import numpy as np

from diagnosis import starts
from diagnosis.answer import Answer, Curves, Finding
from diagnosis.errors import SubjectFailed
from diagnosis.mends import first_that_helps, log_of_zero, tries_rates
from diagnosis.model import Model
from diagnosis.probing import Probes
from diagnosis.subject import Subject
from diagnosis.trials import Case, Run, any_start_better, as_it_is, fails, learned, prior, trainer


def check_training(subject: Subject, model: Model | None, answer: Answer, probes: Probes) -> None:
    """Add what makes training fail, and set the kind, where something does."""
    found = _before(subject, model, probes)
    run = _run(subject, answer) if subject.train is not None else None
    case = None
    if run is not None:
        case = Case(subject, model, probes, run, trainer(subject), prior(subject, model))
        answer.curves = Curves(author=run.curve, steps=len(run.curve))
    found = [f for f in found if case is None or _confirmed(f, case)]
    start = float(subject.losses([subject.start])[0])
    if not found and not np.isfinite(start):
        found = [log_of_zero(f"At the start the loss is {start}.")]
    if not found and case is not None and fails(case):
        found = list(first_that_helps(case, answer))
        if not found:
            answer.notes.append(
                f"training ends at a loss of {case.run.final:.3g}, no better than an output that "
                "ignores the input, and nothing tried mends it: neither plain steps, "
                f"{'other rates, ' if tries_rates(case) else ''}scaled inputs nor other initial "
                "weights"
            )
            if not tries_rates(case):
                answer.notes.append(
                    "other learning rates were not tried, for none was found; give train an "
                    "argument lr with your rate as its default, and use it"
                )
    if found:
        answer.kind = "training"
        answer.findings += found


def _run(subject: Subject, answer: Answer) -> Run | None:
    """Return the author's training; None, with a note, where it cannot be used."""
    try:
        return as_it_is(subject)
    except (SubjectFailed, ValueError) as failed:
        answer.notes.append(f"train was not looked at. {failed}")
        return None


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


def _confirmed(finding: Finding, case: Case) -> bool:
    """Whether a fault seen at the start does harm; some are wrong whatever training does."""
    word = finding.defect
    if word in ("zero_init", "symmetric_init", "dead_units", "relu_output_dead"):
        return not learned(case) and any_start_better(case)
    if word == "shared_parameter_array":
        together = case.train(shared=True)
        return together is None or not np.allclose(
            together.curve, case.run.curve, rtol=1e-9, equal_nan=True
        )
    return True
