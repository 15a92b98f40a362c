"""What is said of a wrong gradient: mistakes that explain it, or facts where none are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis import facts, twins
from diagnosis.answer import Answer
from diagnosis.evidence import Evidence
from diagnosis.explain import agreement_of, findings_of
from diagnosis.factors import Explained, averaged, explanations
from diagnosis.gradient import SMOOTH
from diagnosis.groups import POINTS, Group, group_at, groups, single_samples
from diagnosis.matching import EXACT
from diagnosis.measured import learn, measured_model
from diagnosis.model import Model
from diagnosis.probing import Probes
from diagnosis.search import Search
from diagnosis.subject import Subject

MEASURED_POINTS = 4
MEASURED_EXACT = 1e-5
# Bytes of one delta at all points; some hundred candidates are held at once.
LARGEST, MANY = 10 << 20, 100
Found = tuple[list[Explained], list[Group]]


@dataclass(frozen=True)
class WrongGradient:
    """The search for what is wrong, which goes into an answer.

    Attributes:
        subject: whose gradient it is.
        probes: where to look at it.
        answer: with the checks of its arrays; findings, notes and agreement are added.
        evidence: what the checks rest on.
        fewer: a number of samples besides the author's that the subject takes; None if none.
        samples: the author's number, where the subject has a part of them; else 0.
    """

    subject: Subject
    probes: Probes
    answer: Answer
    evidence: Evidence
    fewer: int | None
    samples: int = 0

    def explain(self) -> None:
        """Add what explains it, or what can be said where nothing does."""
        answer = self.answer
        if "integer_dtype" in {finding.defect for finding in answer.findings}:
            return
        if answer.model is not None:
            explained, used = self._searched(answer.model)
            if explained:
                self._name(answer.model, explained, used)
                return
        elif self.evidence.rough <= SMOOTH and self._measured():
            return
        answer.findings += facts.findings(
            self.subject, answer.checks, self.evidence.taken, self.evidence.grads
        )

    def _name(self, model: Model, explained: Sequence[Explained], used: Sequence[Group]) -> None:
        explained = twins.settled(self.subject, model, explained, used)
        found = findings_of(model, explained, self.answer.checks)
        self.answer.findings += found
        self.answer.agreement = agreement_of(model, explained, found)

    def _searched(self, model: Model) -> Found:
        try:
            return self._search(model)
        except (ValueError, IndexError, np.linalg.LinAlgError) as error:
            # Shapes nobody thought of must not cost the reader the check of the arrays.
            self.answer.notes.append(f"the search for the mistake broke off ({error})")
            return [], []

    def _search(self, model: Model) -> Found:
        samples = next(iter(model.factors))
        if samples > MANY and _memory_of_a_delta(model, samples) > LARGEST:
            self.answer.notes.append(
                "there are too many samples to look for the mistake; hand over a few dozen of them"
            )
            return [], []
        used = groups(model, self.subject, self.probes, self.fewer)
        if not used:
            return [], []
        rough = 3e3 * self.evidence.rough
        exact = max(EXACT, 300 * model.loss.eps, rough, self.evidence.tolerance / 10)
        explained = _explanations(model, used, exact)
        if explained and explained[0].state.lost and self.fewer is not None:
            single = self._one_at_a_time(model, exact)
            steps = "weights_updated_before_backprop"
            if single and not single[0][0].state.lost and steps in single[0][0].words:
                return single
        if explained and len(used) > 1 and _of_no_meaning(explained[0], averaged(model, used)):
            # A number of samples written into the loss, or into grads, makes factors of no meaning
            # with fewer samples. With the author's number they may have one.
            own = _explanations(model, used[:1], exact)
            if own and (_written_in(explained[0]) or "unexplained" not in own[0].words):
                self._note_count(explained[0], self.samples or used[0].samples)
                return own, used[:1]
        return explained, used

    def _note_count(self, explained: Explained, samples: int) -> None:
        if _written_in(explained):
            self.answer.notes.append(
                f"a number of samples, {samples}, is written into the program: right for your X, "
                "and for no other number"
            )

    def _one_at_a_time(self, model: Model, exact: float) -> Found | None:
        """Explain single samples, for programs that step after each."""
        found = single_samples(model, self.subject, self.probes, exact)
        if found is None:
            return None
        model, group = found
        made = _explanations(model, [group], exact)
        return (made, [group]) if made else None

    def _measured(self) -> bool:
        """Explain a gradient whose loss is not known; return whether all of it is explained."""
        model = measured_model(self.subject, self.evidence.taken)
        if model is None:
            return False
        points = learn(model, self.subject, self.probes.points(MEASURED_POINTS))
        group = group_at(model, self.subject, points) if len(points) > 1 else None
        if group is None:
            return False
        explained = _explanations(model, [group], MEASURED_EXACT)
        if not explained or not explained[0].ops:
            return False
        self._name(model, explained, [group])
        self.answer.notes.append(
            "the loss is none of those known; its derivative at the output was measured"
        )
        return True


def _written_in(explained: Explained) -> bool:
    """Whether part of it shows with another number of samples than the author's only."""
    return any(op.written_in for op in explained.ops)


def _of_no_meaning(explained: Explained, averaged: bool | None) -> bool:
    """Whether factors may come of a number of samples that is not the one handed over.

    Where the loss is a mean over those it is handed, a number written into `grads` makes no factor
    that is the same for any number of them.
    """
    if averaged and any(op.steady for op in explained.ops):
        return False
    return _written_in(explained) or "unexplained" in explained.words


def _memory_of_a_delta(model: Model, samples: int) -> int:
    return 8 * POINTS * samples * max(model.layout.widths[1:])


def _explanations(model: Model, used: Sequence[Group], exact: float) -> list[Explained]:
    return explanations(model, used, Search(model, used, exact=exact).run())
