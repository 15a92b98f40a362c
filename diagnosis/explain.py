"""From an explanation in formulas to findings in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diagnosis.answer import Alternative, Finding
from diagnosis.factors import Explained
from diagnosis.gradient import ArrayCheck
from diagnosis.measured import MeasuredModel
from diagnosis.model import Model
from diagnosis.operators import Op
from diagnosis.search_state import MARGIN
from diagnosis.views import LayerViews

DOUBT = 4.6
TELL_APART: Mapping[frozenset[str], str] = {
    frozenset({"missing_output_derivative", "loss_gradient_mismatch"}):
        "Numbers cannot tell: either the slope is missing, or the delta is that of a "
        "cross-entropy. Which loss did you mean to train with?",
    frozenset({"softmax_jacobian_diagonal", "loss_gradient_mismatch"}):
        "Numbers cannot tell: a - y is the delta of the cross-entropy of classes, and what the "
        "diagonal gives of the binary one. Which loss did you mean to train with?",
    frozenset({"softmax_jacobian_missing", "loss_gradient_mismatch"}):
        "Numbers cannot tell: either the softmax Jacobian is missing, or the delta is that of a "
        "cross-entropy. Which loss did you mean to train with?",
}  # fmt: skip
READ = "The numbers are equal at all points tried; the line that computes it tells which it is."


def layer_words(model: Model, k: int) -> str:
    """Return the name of a layer, from 0, for a reader."""
    last = len(model.layout.layers) - 1
    kind = "output layer" if k == last else "hidden layer"
    if k == last and isinstance(model, MeasuredModel):
        return f"{kind} {k + 1}"
    name = model.output_name if k == last else model.hidden[k]
    return f"{kind} {k + 1} ({name})"


def findings_of(
    model: Model,
    explained: Sequence[Explained],
    checks: Mapping[str, ArrayCheck],
) -> list[Finding]:
    """Return the findings of the cheapest explanation, with the others that are as good."""
    best = explained[0]
    wrong = {name for name, check in checks.items() if check.wrong}
    if _doubt(best) > DOUBT or (not best.ops and not best.state.lost):
        return [_unexplained(model, wrong, checks, range(len(model.layout.layers)))]
    words = dict.fromkeys(op.word for op in best.ops)
    others = [*_alternatives(explained), *_relu_or_leak(model, best)]
    found = []
    for word in words:
        ops = [op for op in best.ops if op.word == word]
        arrays = tuple(n for n in checks if n in wrong and n in _reach(model, ops))
        arrays = arrays or tuple(n for n in checks if n in _reach(model, ops))
        found.append(Finding(
            word, arrays, ", ".join(dict.fromkeys(layer_words(model, op.layer) for op in ops)),
            max((checks[n].error for n in arrays), default=0.0),
            _evidence(model, ops),
            tuple(a for a in others if _belongs(a, word, list(words))),
            " ".join(dict.fromkeys(op.cure for op in ops if op.cure)),
        ))  # fmt: skip
    lost = [
        k
        for k, (W, b) in enumerate(zip(best.state.W, best.state.b, strict=True))
        if W.factors is None or (b is not None and b.factors is None)
    ]
    if lost:
        names = _lost_arrays(model, best) & wrong
        if names:
            found.append(_unexplained(model, names, checks, lost))
    return found


def _doubt(explained: Explained) -> float:
    """Return the cost of the different mistakes: one made in all layers is no stranger for that."""
    dearest: dict[str, float] = {}
    for op in explained.ops:
        dearest[op.word] = max(op.cost, dearest.get(op.word, 0.0))
    return sum(dearest.values())


def _belongs(other: Alternative, word: str, words: Sequence[str]) -> bool:
    """Whether another explanation does without this word; one with all of them is the first's."""
    if set(words) <= set(other.defects):
        return word == words[0]
    return word not in other.defects


def _lost_arrays(model: Model, best: Explained) -> set[str]:
    names = set()
    for layer, W, b in zip(model.layout.layers, best.state.W, best.state.b, strict=True):
        if W.factors is None:
            names.add(layer.W.name)
        if b is not None and b.factors is None and layer.b is not None:
            names.add(layer.b.name)
    return names


def _unexplained(
    model: Model, names: set[str], checks: Mapping[str, ArrayCheck], layers: Sequence[int]
) -> Finding:
    right = [k for k, v in enumerate(model.layout.layers) if not _names(v) & names]
    wrong = [k for k, v in enumerate(model.layout.layers) if _names(v) & names]
    top = max(wrong, default=max(layers))
    note = f"It begins at {layer_words(model, top)}."
    if any(k > top for k in right):
        note += " All above is right, so look at what leads from there into it."
    arrays = tuple(n for n in checks if n in names)
    note = " ".join(filter(None, (note, zeros(checks, arrays))))
    error = max((checks[n].error for n in arrays), default=0.0)
    return Finding("unexplained", arrays, layer_words(model, top), error, note)


def zeros(checks: Mapping[str, ArrayCheck], names: Sequence[str]) -> str:
    """Say which arrays are 0 where the gradient is not; empty where none is."""
    empty = [name for name in names if checks[name].ratio == 0]
    if not empty:
        return ""
    verb = "is" if len(empty) == 1 else "are"
    return (
        f"{', '.join(empty)} {verb} 0 everywhere; the gradient is not. "
        f"What is not to be trained, leave out of params."
    )


def _names(layer: LayerViews) -> set[str]:
    return {v.name for v in (layer.W, layer.b, layer.scale, layer.shift) if v is not None}


def _reach(model: Model, ops: Sequence[Op]) -> set[str]:
    """Return the arrays mistakes can spoil: a delta's are its layer and all below."""
    names: set[str] = set()
    for op in ops:
        layer = model.layout.layers[op.layer]
        if op.part == "W":
            names.add(layer.W.name)
        elif op.part == "b":
            names |= {layer.b.name} if layer.b is not None else set()
        else:
            for below in model.layout.layers[: op.layer + 1]:
                names |= _names(below)
    return names


def _evidence(model: Model, ops: Sequence[Op]) -> str:
    """Say what is done; in which layer, where it is not the same in all."""
    notes: dict[str, list[str]] = {}
    for op in ops:
        notes.setdefault(op.note, []).append(layer_words(model, op.layer))
    if len(notes) == 1:
        note = next(iter(notes))
        return f"Here, {note}." if note else ""
    return " ".join(
        f"In {' and '.join(dict.fromkeys(where))}: {note}." for note, where in notes.items() if note
    )


def agreement_of(model: Model, explained: Sequence[Explained], findings: Sequence[Finding]) -> str:
    """Say how exactly the explanation gives the author's gradients; empty if there is none."""
    best = explained[0]
    named = {f.defect for f in findings} & best.words
    if not named or "unexplained" in named:
        return ""
    change = "that one change" if len(named) == 1 else f"these {len(named)} changes together"
    rest = max((m.rest for m in (*best.state.W, *best.state.b) if m is not None), default=0.0)
    lost = _lost_arrays(model, best)
    but = f", all but {' and '.join(sorted(lost))}" if lost else ""
    return (
        f"With {change} in a model of your network, its gradients equal yours to {rest:.0e}{but}."
    )


def _relu_or_leak(model: Model, best: Explained) -> list[Alternative]:
    """A leaky layer with the slope of ReLU: another activation's slope, or a leak of 0."""
    ops = [op for op in best.ops if op.word == "leaky_slope_mismatch"
           and (model.hidden[op.layer : op.layer + 1] or ("",))[0].startswith("leaky")
           and ("relu for" in op.note or op.note.endswith(" 0"))]  # fmt: skip
    if not ops:
        return []
    words = best.words - {"leaky_slope_mismatch"} | {"derivative_of_other_activation"}
    return [
        Alternative(
            tuple(sorted(words)),
            "the slope is that of ReLU",
            "A leak of 0 backward and the slope of ReLU are the same numbers.",
        )
    ]


def _alternatives(explained: Sequence[Explained]) -> list[Alternative]:
    """Return the word sets of other explanations that cost hardly more."""
    best = explained[0]
    found: dict[frozenset[str], Alternative] = {}
    for other in explained[1:]:
        if other.cost > best.cost + MARGIN or other.state.lost > best.state.lost:
            continue
        words = other.words
        if words != best.words and words not in found:
            pair = frozenset(words ^ best.words)
            note = "; ".join(
                dict.fromkeys(op.note for op in other.ops if op.word not in best.words)
            )
            found[words] = Alternative(tuple(sorted(words)), note, TELL_APART.get(pair, READ))
    return list(found.values())
