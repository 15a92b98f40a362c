"""The order of a diagnosis: purity, gradient check, model, mistakes, or training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import default_rng

from diagnosis import facts, twins
from diagnosis.answer import Answer
from diagnosis.calls import Array, Point
from diagnosis.errors import CallFailed, SubjectFailed
from diagnosis.explain import agreement_of, findings_of
from diagnosis.factors import Explained, explanations
from diagnosis.gradient import (
    RELATIVE,
    ArrayCheck,
    Slopes,
    affordable,
    by_model,
    choose,
    compare,
    slopes,
    tolerance_of,
    verdicts,
)
from diagnosis.groups import Group, group_at, groups, single_samples
from diagnosis.identify import Identifier
from diagnosis.matching import EXACT
from diagnosis.measured import learn, measured_model
from diagnosis.mending import mended_curves, without_curves
from diagnosis.model import Model
from diagnosis.online import Online, steps_after_each_sample
from diagnosis.probing import Probes
from diagnosis.sample_counts import with_fewer_samples
from diagnosis.search import Search
from diagnosis.state import check_state
from diagnosis.subject import Subject, given, opened
from diagnosis.training import check_training

SEED = 20181013
LEAST_ROUGH = 1e-12
LATER = 15
MEASURED_POINTS = 4
MEASURED_EXACT = 1e-5
MODERATE = 5.0
KEPT = (0.5, 0.8, 0.9, 0.7, 0.6, 0.75, 0.4, 0.3, 0.2, 0.25, 0.1, 0.95)


def examine(subject: Subject, *, fix: bool = False) -> Answer:
    """Diagnose a subject.

    Raises:
        SubjectFailed: its functions cannot be used.
    """
    # Points far out, and wrong models, overflow: what is not finite is looked at where it matters.
    with np.errstate(all="ignore"):
        answer = _Examination(subject).run()
        if fix and answer.kind == "gradient":
            answer.curves = mended_curves(subject, answer.model)
        if fix and (why := without_curves(answer)):
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
    try:
        return examine(given(params, X, Y, loss, grads, train))
    except SubjectFailed as error:
        return Answer("your functions", error=str(error))


def diagnose_file(path: str, *, fix: bool = False, **limits: Any) -> Answer:
    """Diagnose a module or a notebook, in a process of its own.

    Args:
        path: the file.
        fix: also train with the true gradient, beside the author's.
        limits: `seconds` and `memory` in bytes.
    """
    try:
        with opened(path, **limits) as subject:
            answer = examine(subject, fix=fix)
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


class _Examination:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.rng = default_rng(SEED)
        self.answer = Answer(subject.path, samples=max(np.shape(subject.Y), default=0))

    def run(self) -> Answer:
        subject, answer = self.subject, self.answer
        self._at_the_start()
        self.probes = Probes(subject, self.rng)
        state = check_state(subject, self.probes)
        answer.side_effects += state.effects
        taken, grads = self._differences()
        self.rough = max((t.rough for t in taken if np.isfinite(t.rough)), default=0.0)
        self.tolerance = tolerance_of(state.dtypes, self.rough)
        checks = self._numeric(taken, grads)
        model, self.fewer = self._model(state.masks)
        answer.model = model
        if model is not None:
            answer.samples = next(iter(model.factors))
        answer.checks = self._checks(model, checks, taken, grads)
        answer.findings += state.findings()
        wrong = [name for name, check in answer.checks.items() if not check.ok]
        online = self._online(model) if wrong and model is not None else None
        if online is not None:
            answer.kind, answer.each_sample = "healthy", True
            answer.checks = {
                n: replace(c, ok=True, error=online.errors[n], ratio=None)
                for n, c in answer.checks.items()
            }
            answer.side_effects.append(
                f"steps are taken after each sample, with a rate of {online.rate:.6g}; for single "
                "samples the gradient is right"
            )
        elif wrong:
            answer.kind = "gradient"
            self._explain(model, taken, grads)
        elif answer.findings:
            answer.kind = "gradient"
            answer.checks = state.marked(answer.checks)
        else:
            answer.kind = "healthy"
            check_training(subject, model, answer, self.probes)
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
        subject.grads(subject.start)

    def _differences(self) -> tuple[list[Slopes], list[dict[str, Array]]]:
        """Return numerical and the author's gradients at points of order one."""
        subject, probes = self.subject, self.probes
        points = [probes.point(), probes.point(), self._on_the_data()]
        most = affordable(subject, points[0])
        taken, grads = [], []
        for i, point in enumerate(points):
            made = subject.try_grads(point)
            if made is None:
                continue
            entries = choose(subject.params, most if not i else min(most, LATER), self.rng)
            found = slopes(subject, point, entries)
            if np.isfinite(found.loss):
                taken.append(found)
                grads.append(made)
        if not taken:
            return self._nearer()
        for name in subject.params:
            if not any(np.isfinite(made[name]).all() for made in grads):
                msg = f"`grads` must return finite numbers; got NaN or infinity in {name}."
                raise SubjectFailed(msg)
        return taken, grads

    def _on_the_data(self) -> Point:
        """Return a point with the author's inputs, unless they would saturate everything."""
        X = np.asarray(self.subject.X, float)
        return self.probes.point(inputs=bool(np.sqrt(np.mean(X**2)) > MODERATE))

    def _nearer(self) -> tuple[list[Slopes], list[dict[str, Array]]]:
        """Return both near the author's start, where no other point gives a finite loss."""
        subject = self.subject
        for scale in (0.1, 0.01, 0.0):
            moved = {
                name: np.asarray(a, float)
                + scale * self.rng.standard_normal(a.shape) * max(float(np.std(a)), 1e-3)
                for name, a in subject.params.items()
            }
            point = Point(moved, subject.X, subject.Y)
            made = subject.try_grads(point)
            if made is None:
                continue
            found = slopes(subject, point, choose(subject.params, 40, self.rng))
            if np.isfinite(found.loss) and all(np.isfinite(g).all() for g in made.values()):
                return [found], [made]
        msg = "The loss is not a finite number, neither at the start nor at weights of order one."
        raise SubjectFailed(msg)

    def _numeric(
        self, taken: Sequence[Slopes], grads: Sequence[Mapping[str, Array]]
    ) -> dict[str, ArrayCheck]:
        sizes = {name: a.size for name, a in self.subject.params.items()}
        pairs = [compare(g, t, self.tolerance) for g, t in zip(grads, taken, strict=True)]
        return verdicts(pairs, sizes)

    def _model(self, masks: Sequence[Array]) -> tuple[Model | None, int | None]:
        model = None
        for tried in _scaled(masks, self.subject.settings):
            identifier = Identifier(self.subject, self.probes, rough=self.rough, masks=tried)
            model = next(iter(identifier.models()), None)
            if model is not None:
                break
        if model is None:
            return None, None
        return with_fewer_samples(model, self.subject, self.probes, identifier.exact)

    def _checks(
        self,
        model: Model | None,
        numeric: dict[str, ArrayCheck],
        taken: Sequence[Slopes],
        grads: Sequence[Mapping[str, Array]],
    ) -> dict[str, ArrayCheck]:
        """Prefer the model's gradient, which has no rounding and no kinks, for every entry."""
        if model is None or self.rough > LEAST_ROUGH:
            return numeric
        points = [t.point for t in taken]
        return by_model(self.subject, model, points, grads, max(self.tolerance, RELATIVE))

    # --- a wrong gradient

    def _explain(
        self,
        model: Model | None,
        taken: Sequence[Slopes],
        grads: Sequence[Mapping[str, Array]],
    ) -> None:
        if self.answer.findings and {f.defect for f in self.answer.findings} & {"integer_dtype"}:
            return
        if model is not None:
            try:
                explained, used = self._search(model)
            except (ValueError, IndexError, np.linalg.LinAlgError) as error:
                # Shapes nobody thought of must not cost the reader the check of the arrays.
                self.answer.notes.append(f"the search for the mistake broke off ({error})")
                explained, used = [], []
            if explained:
                explained = twins.settled(self.subject, model, explained, used)
                self._name(model, explained)
                return
        elif self.rough <= LEAST_ROUGH and self._measured(taken):
            return
        self.answer.findings += facts.findings(self.subject, self.answer.checks, taken, grads)

    def _name(self, model: Model, explained: Sequence[Explained]) -> None:
        found = findings_of(model, explained, self.answer.checks)
        self.answer.findings += found
        self.answer.agreement = agreement_of(model, explained, found)

    def _online(self, model: Model) -> Online | None:
        """Return how single right steps, one after the other, are what `grads` returns."""
        if model.penalties or model.masks or model.norms or self.fewer is None:
            return None
        found = single_samples(model, self.subject, self.probes, EXACT)
        return None if found is None else steps_after_each_sample(self.subject, *found)

    def _measured(self, taken: Sequence[Slopes]) -> bool:
        """Explain a gradient whose loss is not known; return whether all of it is explained."""
        model = measured_model(self.subject, taken)
        if model is None:
            return False
        points = learn(model, self.subject, self.probes.points(MEASURED_POINTS))
        group = group_at(model, self.subject, points) if len(points) > 1 else None
        if group is None:
            return False
        explained = explanations(model, [group], Search(model, [group], exact=MEASURED_EXACT).run())
        if not explained or not explained[0].ops:
            return False
        explained = twins.settled(self.subject, model, explained, [group])
        self._name(model, explained)
        self.answer.notes.append(
            "the loss is none of those known; its derivative at the output was measured"
        )
        return True

    def _search(self, model: Model) -> tuple[list[Explained], list[Group]]:
        used = groups(model, self.subject, self.probes, self.fewer)
        if not used:
            return [], []
        exact = max(EXACT, 300 * model.loss.eps, 3e3 * self.rough, self.tolerance / 10)
        explained = explanations(model, used, Search(model, used, exact=exact).run())
        if explained and explained[0].state.lost and self.fewer is not None:
            single = self._one_at_a_time(model, exact)
            steps = "weights_updated_before_backprop"
            if single and not single[0][0].state.lost and steps in single[0][0].words:
                return single
        if explained and len(used) > 1 and "unexplained" in explained[0].words:
            # A number of samples written into the loss, or into grads, makes factors of no meaning
            # with fewer samples. With the author's number they may have one.
            own = explanations(model, used[:1], Search(model, used[:1], exact=exact).run())
            if own and "unexplained" not in own[0].words:
                return own, used[:1]
        return explained, used

    def _one_at_a_time(
        self, model: Model, exact: float
    ) -> tuple[list[Explained], list[Group]] | None:
        """Explain single samples, for programs that step after each."""
        found = single_samples(model, self.subject, self.probes, exact)
        if found is None:
            return None
        model, group = found
        made = explanations(model, [group], Search(model, [group], exact=exact).run())
        return (made, [group]) if made else None


def _scaled(masks: Sequence[Array], settings: Mapping[str, float]) -> list[list[Array]]:
    """Return the masks as they are, and divided by shares that may be kept."""
    if not masks:
        return [[]]
    shares = [v for v in settings.values() if 0 < v < 1]
    shares += [1 - v for v in shares] + list(KEPT)
    return [list(masks), *([m / share for m in masks] for share in dict.fromkeys(shares))]


def sampled(checks: Mapping[str, ArrayCheck]) -> bool:
    """Whether some entries were not looked at."""
    return any(check.checked + check.kinks < check.size for check in checks.values())


__all__ = ["CallFailed", "diagnose", "diagnose_file", "examine", "group_at", "sampled"]
