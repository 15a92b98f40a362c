"""What is found, as data: the answer of a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnosis.calls import Array
from diagnosis.gradient import ArrayCheck
from diagnosis.model import Model
from diagnosis.words import WORDS


@dataclass(frozen=True)
class Alternative:
    """Another explanation of the same numbers, and what would tell them apart."""

    defects: tuple[str, ...]
    why: str
    tell_apart: str


@dataclass(frozen=True)
class Finding:
    """One defect.

    Attributes:
        defect: a word of the vocabulary.
        arrays: the author's names of what it spoils.
        layer: where it is made, for a reader.
        error: the largest relative error among these arrays.
        evidence: what was seen, in sentences.
        repair: what mends this one, where the word's own cure leaves a choice.
    """

    defect: str
    arrays: tuple[str, ...]
    layer: str
    error: float
    evidence: str = ""
    alternatives: tuple[Alternative, ...] = ()
    repair: str = ""

    @property
    def why(self) -> str:
        """The sentence of the word, and the evidence."""
        return f"{WORDS[self.defect].sentence} {self.evidence}".strip()

    @property
    def fix(self) -> str:
        """The cure."""
        return self.repair or WORDS[self.defect].cure

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON answer."""
        made: dict[str, Any] = {
            "defect": self.defect, "arrays": list(self.arrays), "layer": self.layer,
            "error": _finite(self.error), "why": self.why, "fix": self.fix,
        }  # fmt: skip
        if self.alternatives:
            made["alternatives"] = [
                {"defects": list(a.defects), "why": a.why, "tell_apart": a.tell_apart}
                for a in self.alternatives
            ]
        return made


@dataclass
class Curves:
    """Losses of training as it is, and mended.

    Attributes:
        author, mended: a loss for each step, from the start.
        steps: how many.
        lr: of plain steps; 0 for those of the author's training.
        on_a_part: whether the rate was tried on a part of the samples.
    """

    author: Array | None = None
    mended: Array | None = None
    steps: int = 0
    lr: float = 0.0
    on_a_part: bool = False


@dataclass
class Answer:
    """The answer of a diagnosis.

    Attributes:
        kind: "healthy", "gradient", "training" or "unknown".
        agreement: how exactly all findings together give the author's gradients, in a sentence.
        each_sample: whether what is right are steps after each sample, not one gradient.
    """

    subject: str
    kind: str = "unknown"
    findings: list[Finding] = field(default_factory=list)
    agreement: str = ""
    each_sample: bool = False
    model: Model | None = None
    checks: Mapping[str, ArrayCheck] = field(default_factory=dict)
    side_effects: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    samples: int = 0
    curves: Curves | None = None

    @property
    def status(self) -> int:
        """The exit status."""
        return {"healthy": 0, "unknown": 2}.get(self.kind, 1)

    def __str__(self) -> str:
        """Return what the command prints."""
        from diagnosis.report import text  # which reads answers

        return text(self)

    def _repr_markdown_(self) -> str:
        """Return what a notebook shows."""
        from diagnosis.report import markdown

        return markdown(self)

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        made: dict[str, Any] = {
            "subject": self.subject,
            "kind": self.kind,
            "defects": [finding.as_dict() for finding in self.findings],
            "model": _model(self.model),
            "gradcheck": {
                name: {"error": _finite(c.error), "ok": c.ok, "verdict": c.verdict,
                       "checked": c.checked, "size": c.size, "kinks": c.kinks}
                for name, c in self.checks.items()
            },
            "side_effects": self.side_effects,
            "notes": self.notes,
        }  # fmt: skip
        if self.agreement:
            made["agreement"] = self.agreement
        if self.error is not None:
            made["error"] = self.error
        if self.curves is not None:
            made["curves"] = {
                "steps": self.curves.steps, "lr": self.curves.lr,
                "author": _list(self.curves.author), "mended": _list(self.curves.mended),
            }  # fmt: skip
        return made


def _list(values: Array | None) -> list[float | None] | None:
    return None if values is None else [_finite(float(v)) for v in values]


def _finite(value: float) -> float | None:
    # JSON knows no infinity.
    return value if math.isfinite(value) else None


def _model(model: Model | None) -> dict[str, Any] | None:
    if model is None:
        return None
    penalties = {f"{p.part}{p.layer + 1}": p.factor for p in model.penalties if p.power == 2}
    absolute = {f"{p.part}{p.layer + 1}": p.factor for p in model.penalties if p.power == 1}
    made: dict[str, Any] = {
        "hidden": list(model.hidden),
        "output": model.output_name,
        "loss": model.loss_name,
        "widths": list(model.layout.widths),
        "layout": model.layout.words,
        "bias": model.layout.bias_words,
        "l2": penalties or 0.0,
        "factor": next(iter(model.factors.values())).tolist(),
        "eps": model.loss.eps,
    }
    if absolute:
        made["l1"] = absolute
    if model.rooted:
        made["rooted"] = True
    if model.masks:
        made["dropout"] = [k + 1 for k in model.masks]
    if model.norms:
        made["batch_norm"] = [k + 1 for k in model.norms]
    return made
