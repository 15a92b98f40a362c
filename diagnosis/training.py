"""When the gradient is right and training still fails."""

from __future__ import annotations

from diagnosis.answer import Answer
from diagnosis.model import Model
from diagnosis.probing import Probes
from diagnosis.subject import Subject


def check_training(subject: Subject, model: Model | None, answer: Answer, probes: Probes) -> None:
    return
