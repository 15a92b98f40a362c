"""An answer as text for a terminal, and as Markdown to paste."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from diagnosis.answer import Answer, Finding
from diagnosis.model import Model
from diagnosis.repaired import RATES, TRIAL

WIDTH = 96
FEW = 4
KINDS = {
    "healthy": "Nothing wrong found: what grads returns is the derivative of your loss.",
    "gradient": "Your gradient is wrong: what grads returns is not the derivative of your loss.",
    "training": "Your gradient is right; something else keeps training from working.",
    "unknown": "The program could not be run.",
}
# A right gradient agrees with differences to more digits than this, unless they have no more.
SHARP = 1e-4
WITHIN = {
    "healthy": "Nothing wrong found: what grads returns is the derivative of your loss to within "
    "{}; rounding of the loss hides what is less.",
    "training": "Your gradient is right to within {}, and rounding of the loss hides what is less; "
    "something else keeps training from working.",
}
CLIPPED = {
    "healthy": "Nothing wrong found, but grads returns no derivative: {}.",
    "training": "Your gradient is right but for being cut: {}. Something else keeps training from "
    "working.",
}
UNSEEN = (
    "Not decided: your loss is too rough, or jumps, where the gradient of {} was to be compared "
    "with it."
)
EACH_SAMPLE = "Nothing wrong found: the steps that your program takes after each sample are right."


def headline(answer: Answer) -> str:
    """Return the verdict in a sentence, which claims no more than was seen."""
    if answer.each_sample:
        return EACH_SAMPLE
    unseen = [name for name, check in answer.checks.items() if check.unseen]
    if unseen and answer.kind == "unknown":
        return UNSEEN.format(" and ".join([", ".join(unseen[:-1]), unseen[-1]][len(unseen) < 2 :]))
    clipped = next((check.clipped for check in answer.checks.values() if check.clipped), "")
    if clipped and answer.kind in CLIPPED:
        return CLIPPED[answer.kind].format(clipped)
    within = max((c.error for c in answer.checks.values() if c.ok), default=0.0)
    if answer.kind in WITHIN and within > SHARP:
        return WITHIN[answer.kind].format(f"{100 * within:.1g} %")
    return KINDS[answer.kind]


def network(model: Model, samples: int) -> str:
    """Return a model in one line: `2 -> 10 tanh -> 1 sigmoid, cross-entropy averaged over 200`."""
    widths = model.layout.widths
    units = [*model.hidden, model.output_name]
    chain = " -> ".join(
        [str(widths[0]), *(f"{n} {u}" for n, u in zip(widths[1:], units, strict=True))]
    )
    loss = f"{model.loss_name.replace('_', ' ')} {_reduction(model, samples)}"
    return f"{chain}, {loss}{', with a penalty' if model.penalties else ''}"


def _reduction(model: Model, samples: int) -> str:
    factor = next(iter(model.factors.values()))
    where = "rows" if model.layout.rows else "columns"
    if factor.size > 1:
        return f"weighted by class over {samples} {where}"
    times = float(factor[0]) * samples
    if len(model.factors) > 1:
        m1, m2 = list(model.factors)[:2]
        if not math.isclose(model.factors[m1][0] * m1, model.factors[m2][0] * m2, rel_tol=1e-6):
            # A loss that divides by a number of samples written in, not by that of its data.
            fixed = samples > FEW and any(math.isclose(times, c, rel_tol=1e-6) for c in (0.5, 1, 2))
            by = f", times {times:g}/{samples}" if fixed else _scaled(float(factor[0]))
            return f"summed over {samples} {where}{by}"
    return f"averaged over {samples} {where}" + _scaled(times)


def _scaled(times: float) -> str:
    return "" if math.isclose(times, 1, rel_tol=1e-6) else f", times {times:.4g}"


def _arrays(answer: Answer) -> Iterator[str]:
    for name, check in answer.checks.items():
        size = f"{check.error:.0e}" if check.verdict == "ok" else f"{check.error:.2g}"
        yield f"{name} {check.verdict}" + ("" if check.unseen else f" {size}")


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _number(loss: float) -> str:
    return f"{loss:.3g}" if math.isfinite(loss) else "the loss is no number any more"


def ends(answer: Answer) -> str:
    """Return how trainings with both gradients end, in a sentence; empty where there are none."""
    curves = answer.curves
    if answer.kind != "gradient":  # of other faults their finding says it
        return ""
    if curves is None or curves.author is None or curves.mended is None:
        return ""
    steps = max(len(curves.author), 1) - 1
    rate = (
        f" In both, plain steps of {curves.lr:.3g}, the rate of {len(RATES)} tried at which the "
        f"right gradient gets furthest in {TRIAL} steps{' on that part' * curves.on_a_part}."
        if curves.lr
        else ""
    )
    return (
        f"Mended, your program reaches a loss of {curves.mended[-1]:.3g} after {steps} steps; "
        f"as it is, {_number(float(curves.author[-1]))}.{rate}"
    )


def text(answer: Answer) -> str:
    """Return an answer for a terminal."""
    lines = [answer.subject]
    if answer.error is not None:
        return "\n".join([*lines, _wrapped(answer.error)])
    if answer.model is not None:
        lines[0] = f"{answer.subject}   {network(answer.model, answer.samples)}"
    if answer.checks:
        lines.append(
            textwrap.fill("   ".join(a.replace(" ", "\0") for a in _arrays(answer)), WIDTH).replace(
                "\0", " "
            )
        )
    lines.append(headline(answer))
    for finding in answer.findings:
        lines += ["", *_finding(finding)]
    lines += ["", _wrapped(answer.agreement)] if answer.agreement else []
    said = ends(answer)
    lines += ["", _wrapped(said)] if said else []
    extra = [*answer.side_effects, *answer.notes]
    lines += (
        ["", *(_wrapped(f"Note: {note}.".replace("..", ".")) for note in extra)] if extra else []
    )
    return "\n".join(lines)


def _finding(finding: Finding) -> Iterator[str]:
    arrays = f"   {', '.join(finding.arrays)}" if finding.arrays else ""
    yield f"{finding.defect} in {finding.layer}{arrays}"
    yield _wrapped(finding.why, "  ")
    yield _wrapped(f"Repair: {finding.fix}", "  ")
    for other in others(finding):
        yield _wrapped(f"Or: {other}", "  ")


def others(finding: Finding) -> Iterator[str]:
    """Yield the other explanations in a sentence or two, what decides once for those in a row."""
    for i, other in enumerate(finding.alternatives):
        words = " with ".join(other.defects)
        why = f" ({other.why})" if other.why else ""
        following = finding.alternatives[i + 1 : i + 2]
        said_next = any(f.tell_apart == other.tell_apart for f in following)
        yield f"{words}{why}." + ("" if said_next else f" {other.tell_apart}")


def markdown(answer: Answer) -> str:
    """Return an answer to paste into a forum."""
    if answer.error is not None:
        return f"**{answer.subject}** could not be run: {answer.error}"
    lines = [f"**{headline(answer)}**", ""]
    if answer.model is not None:
        lines += [f"Your network: {network(answer.model, answer.samples)}.", ""]
    if answer.checks:
        lines += ["| array | relative error | |", "| --- | --- | --- |"]
        lines += [
            f"| `{n}` | {c.error:.1e} | {'**wrong**' if c.wrong else c.verdict} |"
            for n, c in answer.checks.items()
        ]
        lines.append("")
    for finding in answer.findings:
        lines += [f"- **{finding.defect}** ({finding.layer}): {finding.why} *{finding.fix}*"]
        lines += [f"  - or {other}" for other in others(finding)]
    lines += ["", answer.agreement] if answer.agreement else []
    said = ends(answer)
    lines += ["", said] if said else []
    lines += [f"- {note}" for note in (*answer.side_effects, *answer.notes)]
    return "\n".join(lines)
