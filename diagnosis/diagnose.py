"""Diagnose a program, or functions of this process."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from diagnosis.answer import Answer
from diagnosis.errors import SubjectFailed
from diagnosis.examination import Examination, Tell, quiet
from diagnosis.repaired import mended_curves, without_curves
from diagnosis.subject import Subject, given, opened


def examine(subject: Subject, *, fix: bool = False, tell: Tell = quiet) -> Answer:
    """Diagnose a subject.

    Args:
        subject: what somebody wrote.
        fix: also train with the true gradient, beside the author's.
        tell: called with what is done next.

    Raises:
        SubjectFailed: its functions cannot be used.
    """
    # Points far out, and wrong models, overflow: what is not finite is looked at where it matters.
    with np.errstate(all="ignore"):
        examination = Examination(subject, tell)
        answer = examination.run()
        if fix and answer.kind == "gradient":
            tell("training with the true gradient")
            answer.curves = mended_curves(subject, examination.model, examination.trial)
        if fix and (why := without_curves(answer, examination.model)):
            answer.notes.append(why)
    return answer


def diagnose(
    params: Mapping[str, Any],
    X: Any,
    Y: Any,
    loss: Callable[..., Any],
    grads: Callable[..., Any],
    train: Callable[..., Any] | None = None,
) -> Answer:
    """Diagnose functions of this process, in a notebook for instance.

    They are called here, without a time limit and with nothing between them and the process.

    Args:
        params: name -> array, where training starts.
        X: the inputs, in the author's layout.
        Y: the targets, likewise.
        loss: `(params, X, Y)` to a number.
        grads: `(params, X, Y)` to a dict with the keys of params.
        train: optional, `(params, X, Y)` to `(params, losses)`.
    """
    ours: Any = np.random.get_state()  # noqa: NPY002 - the caller's, put back below
    python = random.getstate()
    try:
        return examine(given(params, X, Y, loss, grads, train))
    except SubjectFailed as error:
        return Answer("your functions", error=str(error))
    finally:
        np.random.set_state(ours)  # noqa: NPY002
        random.setstate(python)


def diagnose_file(path: str, *, fix: bool = False, tell: Tell = quiet, **limits: Any) -> Answer:
    """Diagnose a module or a notebook, in a process of its own.

    Args:
        path: the file.
        fix: also train with the true gradient, beside the author's.
        tell: called with what is done next.
        limits: `seconds` and `memory` in bytes.
    """
    try:
        with opened(path, **limits) as subject:
            answer = examine(subject, fix=fix, tell=tell)
            left = subject.ask("left")
            if left:
                msg = (
                    f"The subject starts processes of its own; {left} that it left running "
                    f"{'was' if left == 1 else 'were'} ended. A subject may only compute."
                )
                raise SubjectFailed(msg)
            return answer
    except SubjectFailed as error:
        return Answer(path, error=str(error))
