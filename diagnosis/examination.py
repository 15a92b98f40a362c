"""One diagnosis, step by step: purity, gradient check, model, mistakes, or training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.random import default_rng

from diagnosis.answer import Answer, Finding
from diagnosis.calls import Array
from diagnosis.clipping import only_signs
from diagnosis.dependence import sentences
from diagnosis.errors import SubjectFailed
from diagnosis.evidence import gathered
from diagnosis.few_samples import ADVICE, Part, part_of, takes_long
from diagnosis.gradient import ArrayCheck
from diagnosis.identify import SECONDS, Identifier
from diagnosis.matching_labels import with_matching_labels
from diagnosis.model import Model
from diagnosis.model_checks import by_model, refuted
from diagnosis.online import Online, steps_after_each_sample
from diagnosis.probing import Probes
from diagnosis.sample_counts import with_fewer_samples
from diagnosis.small_numbers import without_small_numbers
from diagnosis.starts import broadcast_labels, no_numbers
from diagnosis.state import check_state
from diagnosis.subject import Subject
from diagnosis.training import check_training
from diagnosis.wrong_gradient import WrongGradient

SEED = 20181013
USUAL = 3
KEPT = (0.5, 0.8, 0.9, 0.7, 0.6, 0.75, 0.4, 0.3, 0.2, 0.25, 0.1, 0.95)


Tell = Callable[[str], None]


def quiet(step: str) -> None:
    """Tell nobody what is done now."""


class Examination:
    """One subject's diagnosis, step by step.

    Attributes:
        all: the subject with all its samples.
        trial: with as many as are enough to look at the gradient.
        subject: the one that is looked at now.
        tell: called with what is done next.
        model: of its network with all samples, where that is known.
        of: how many samples there are, where a part stands for them; else 0.
    """

    def __init__(self, subject: Subject, tell: Tell = quiet) -> None:
        self.all = self.trial = self.subject = subject
        self.tell = tell
        self.model: Model | None = None
        self.of = 0
        self.rng = default_rng(SEED)
        self.answer = Answer(subject.path, samples=max(np.shape(subject.Y), default=0))

    def run(self) -> Answer:
        """Return the answer; where the start or the data are no numbers, what is known besides.

        Raises:
            SubjectFailed: the functions cannot be used, or all that is wrong are such numbers.
        """
        missing = no_numbers(self.subject)
        try:
            answer = self._examined()
        except SubjectFailed as failed:
            raise SubjectFailed(missing or str(failed)) from failed
        if missing and answer.kind in ("healthy", "training"):
            what = " ".join((missing, "At weights of order one your gradient is right."))
            raise SubjectFailed(what)
        answer.side_effects += [missing] if missing else []
        return answer

    def _examined(self) -> Answer:
        answer = self.answer
        self._at_the_start()
        part = self._few_samples()
        subject = self.subject = self.trial
        self.probes = Probes(subject, self.rng)
        answer.side_effects += sentences(self.probes.unused)
        self.state = check_state(subject, self.probes)
        answer.side_effects += self.state.effects
        self.tell("checking the gradient")
        evidence = gathered(subject, self.probes, self.rng)
        self.evidence = evidence.with_grain(subject, self.state.dtypes)
        self.tell("looking for the network")
        answer.model, self.fewer = self._model(self.state.masks)
        if answer.model is not None:
            answer.samples = next(iter(answer.model.factors))
        answer.checks = self._checks(answer.model)
        if answer.model is None and any(check.wrong for check in answer.checks.values()):
            self._without_small_numbers()
        answer.findings += self.state.findings()
        self._judge()
        self.model = answer.model if part is None else self._on_all(part)
        if answer.kind == "healthy" and not answer.each_sample:
            self.tell("looking at training")
            check_training(self.subject, self.model, answer, self.probes)
        if sampled(answer.checks):
            answer.notes.append("only a sample of the entries of large arrays was looked at")
        if subject.printed():
            answer.side_effects.append(f"prints {subject.printed()} bytes")
        return answer

    def _at_the_start(self) -> None:
        """Call everything once where the author starts, so that mistakes in the adapter show.

        A loss that is not finite there is a finding, not a reason to stop.
        """
        subject = self.subject
        subject.losses([subject.start], lenient=False)
        try:
            subject.grads(subject.start)
        except SubjectFailed as failed:
            # (m, 1) - (m,) is (m, m), and dW has a column for every sample.
            spread = broadcast_labels(subject)
            raise SubjectFailed(
                f"{failed} {spread.why} {spread.fix}" if spread is not None else str(failed)
            ) from failed

    def _few_samples(self) -> Part | None:
        """Take fewer samples, where the loss of all takes long and a part stands for them."""
        if not takes_long(self.subject):
            return None
        part = part_of(self.subject)
        self.answer.notes.append(ADVICE if part is None else part.sentence)
        if part is not None:
            self.trial, self.of = part.subject, part.of
        return part

    def _model(self, masks: Sequence[Array]) -> tuple[Model | None, int | None]:
        scaled = _scaled(masks, self.subject.shares)
        searches = [
            Identifier(
                self.subject, self.probes, rough=self.evidence.rough, masks=tried,
                seconds=SECONDS / len(scaled),
            )
            for tried in scaled
        ]  # fmt: skip
        # All scales a mask may have, in the usual layouts, before any in all layouts.
        for search, most in [(s, USUAL) for s in searches[1:]] + [(s, None) for s in searches]:
            found = (m for m in search.models(most) if not refuted(m, self.evidence.taken))
            model = next(found, None)
            if model is not None:
                return with_fewer_samples(model, self.subject, self.probes, search.exact)
        return None, None

    def _checks(self, model: Model | None) -> Mapping[str, ArrayCheck]:
        """Prefer the model's gradient, which has no rounding and no kinks, for every entry."""
        evidence = self.evidence
        exact = model and by_model(
            self.subject, model, evidence.taken, evidence.grads, evidence.tolerance, evidence.grains
        )
        return exact or evidence.checks(self.subject.params)

    def _without_small_numbers(self) -> None:
        """Go on without what a loss adds in a logarithm, where arrays are right but for that."""
        answer = self.answer
        for other, added in without_small_numbers(self.subject, self.probes.point()):  # noqa: B007
            evidence = gathered(other, self.probes, self.rng).with_grain(other, self.state.dtypes)
            checks = evidence.checks(other.params)
            right = [name for name, c in answer.checks.items() if c.wrong and checks[name].ok]
            if right:
                break
        else:
            return
        self.subject, self.evidence, answer.checks = other, evidence, checks
        numbers = " and ".join(f"{number:g}" for number in added)
        answer.notes.append(
            f"the loss depends on {numbers} in your program, and grads leaves that out: with next "
            f"to 0 in its place {', '.join(right)} {'is' if len(right) == 1 else 'are'} right"
        )

    def _judge(self) -> None:
        """Set the kind, and add the findings that belong to it."""
        answer = self.answer
        if any(check.wrong for check in answer.checks.values()):
            online = self._online()
            if online is not None:
                self._right_steps(online)
                return
            answer.kind = "gradient"
            spread = broadcast_labels(self.all, self.probes.on(self.all))
            if spread is not None and self._labels_spread(spread):
                return
            self.tell("looking for the mistakes")
            WrongGradient(
                self.subject, self.probes, answer, self.evidence, self.fewer, self.of
            ).explain()
            answer.findings += [spread] if spread is not None else []
            size = only_signs(self.evidence.grads)
            if size is not None:
                answer.notes.append(
                    f"all entries of grads that are not 0 are {size:.6g} or minus that: signs, "
                    "without the sizes of the gradient"
                )
        elif answer.findings:
            answer.kind = "gradient"
            answer.checks = self.state.marked(answer.checks)
        elif any(check.unseen for check in answer.checks.values()):
            answer.kind = "unknown"
        else:
            answer.kind = "healthy"

    def _on_all(self, part: Part) -> Model | None:
        """Go back to all samples, where a part stood for them; return their model, if there is."""
        answer = self.answer
        self.subject, self.probes = self.all, self.probes.on(self.all)
        if answer.model is None:
            return None
        model = part.on_all(answer.model, self.all)
        answer.model, answer.samples = model or part.as_if_on_all(answer.model), part.of
        return model

    def _labels_spread(self, found: Finding) -> bool:
        """Explain a gradient that is right, or can be explained, for labels of the right shape."""
        answer = self.answer
        if answer.findings:
            return False
        try:
            other = Examination(with_matching_labels(self.subject)).run()
        except SubjectFailed:
            return False
        if other.kind != "gradient":
            said = f"{found.evidence} For the loss it then is, your gradient is right."
        elif all(f.defect != "unexplained" for f in other.findings):
            said = f"{found.evidence} What else is wrong is wrong with that, too."
            answer.findings = list(other.findings)
        else:
            return False
        arrays = tuple(name for name, check in answer.checks.items() if not check.ok)
        error = max(answer.checks[name].error for name in arrays)
        answer.findings.insert(0, replace(found, arrays=arrays, error=error, evidence=said))
        answer.model, answer.samples = other.model, other.samples
        return True

    def _online(self) -> Online | None:
        """Return how single right steps, one after the other, are what `grads` returns."""
        model = self.answer.model
        if model is None or self.fewer is None or self.answer.findings:
            return None
        return steps_after_each_sample(self.subject, model, self.probes)

    def _right_steps(self, online: Online) -> None:
        answer = self.answer
        answer.kind, answer.each_sample = "healthy", True
        answer.checks = {
            n: replace(c, ok=True, error=online.errors[n], ratio=None)
            for n, c in answer.checks.items()
        }
        answer.side_effects.append(
            f"steps are taken after each sample, with a rate of {online.rate:.6g}; for single "
            "samples the gradient is right"
        )


def _scaled(masks: Sequence[Array], held: Sequence[float]) -> list[list[Array]]:
    """Return the masks as they are and, of zeros and ones, divided by shares that may be kept."""
    if any(np.max(mask) != 1 for mask in masks) or not masks:
        return [list(masks)]
    shares = [*held, *(1 - v for v in held), *KEPT]
    return [list(masks), *([m / share for m in masks] for share in dict.fromkeys(shares))]


def sampled(checks: Mapping[str, ArrayCheck]) -> bool:
    """Whether some entries were not looked at."""
    return any(check.checked + check.kinks < check.size for check in checks.values())
