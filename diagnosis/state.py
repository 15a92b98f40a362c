"""What calling a subject does besides returning: state, side effects, types, random masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from diagnosis.answer import Finding
from diagnosis.calls import Array, Point
from diagnosis.errors import CallFailed
from diagnosis.gradient import ArrayCheck, ratio
from diagnosis.probing import Probes
from diagnosis.subject import Subject

SAME = 1e-9
SHARE = 1e-5


@dataclass
class State:
    """What was seen.

    Attributes:
        effects: sentences for the reader.
        dtypes: of the gradients at the author's start.
        adding: arrays whose second answer is the sum of two.
        drifting: arrays whose second answer differs in another way.
        truncated: arrays that integers spoil, with their relative error.
        masks: arrays of zeros and one other number that do not depend on the parameters.
        random: whether the loss draws random numbers.
    """

    effects: list[str] = field(default_factory=list)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    adding: dict[str, float] = field(default_factory=dict)
    drifting: dict[str, float] = field(default_factory=dict)
    truncated: dict[str, float] = field(default_factory=dict)
    masks: list[Array] = field(default_factory=list)
    random: bool = False

    def findings(self) -> list[Finding]:
        """Return the defects that state and types make."""
        found = []
        if self.adding:
            note = "Called twice, grads returns for the second point the sum of both gradients."
            found.append(_finding("gradient_not_reset", self.adding, note))
        if self.truncated:
            note = ("With everything cast to float the gradient at your start is another one: "
                    "integers cut it off.")  # fmt: skip
            found.append(_finding("integer_dtype", self.truncated, note))
        return found

    def marked(self, checks: Mapping[str, ArrayCheck]) -> dict[str, ArrayCheck]:
        """Return the checks with the arrays that state or types spoil marked wrong."""
        spoiled = self.adding | self.truncated
        return {
            name: replace(check, ok=False, unseen=False, error=spoiled[name])
            if name in spoiled
            else check
            for name, check in checks.items()
        }


def _finding(word: str, arrays: Mapping[str, float], note: str) -> Finding:
    return Finding(word, tuple(arrays), "all layers", max(arrays.values()), note)


def check_state(subject: Subject, probes: Probes) -> State:
    """Call a subject in ways that show what it keeps and what it writes over."""
    one, two = probes.point(), probes.point()
    state = State()
    try:
        told = subject.ask("purity", **subject.start._asdict(), other=_start_moved(subject))
    except CallFailed as failed:
        state.effects.append(f"A second call fails. {failed}")
        told = {"effects": [], "dtypes": {}, "stateful": False, "random": False, "drawn": False}
    state.effects += [*told["effects"]]
    state.dtypes, state.random = told["dtypes"], told["random"]
    if told["drawn"] and not state.random:
        state.effects.append(
            "grads draws random numbers and loss does not: with samples drawn at random it is the "
            "gradient of those alone. Let it take all that X holds"
        )
    if told["stateful"]:
        state.effects.append("loss returns another number after it was called elsewhere")
    _in_turn(subject, one, two, state)
    _types(subject, state)
    if state.random:
        state.effects.append("loss draws random numbers; they were put back before each call")
        state.masks = masks(subject, one, two)
    return state


def _start_moved(subject: Subject) -> dict[str, object]:
    params = {n: np.asarray(np.asarray(a, float) * 1.1 + 0.01) for n, a in subject.params.items()}
    return Point(params, subject.X, subject.Y)._asdict()


def _in_turn(subject: Subject, one: Point, two: Point, state: State) -> None:
    """Compare the second answer of one copy of the program with a fresh one."""
    try:
        first, second = subject.in_turn([one, two])
        fresh = subject.grads(two)
    except (CallFailed, ValueError):
        return
    kept: list[float | None] = []
    for name, g in second.items():
        later, alone, before = (np.asarray(v, float) for v in (g, fresh[name], first[name]))
        size = max(float(np.linalg.norm(alone)), float(np.linalg.norm(later)))
        if not np.isfinite(size) or np.linalg.norm(later - alone) <= SAME * size:
            continue
        error = float(np.linalg.norm(later - alone)) / size
        if np.linalg.norm(later - alone - before) <= SAME * size:
            state.adding[name] = error
        else:
            state.drifting[name] = error
            kept.append(ratio((later - alone).reshape(-1), before.reshape(-1)))
    if state.drifting:
        names = ", ".join(state.drifting)
        state.effects.append(
            f"grads returns another gradient after an earlier call: {names}{_share(kept)}"
        )


def _share(kept: Sequence[float | None]) -> str:
    """Say what part of an earlier gradient is added; nothing where it is not one part of all."""
    parts = [part for part in kept if part]
    if len(parts) < len(kept) or np.ptp(parts) > SHARE * abs(parts[0]):
        return ""
    return f". It adds {parts[0]:.6g} times what it returned before, as momentum does"


def _types(subject: Subject, state: State) -> None:
    """Compare the gradient in the author's types with that of the same numbers as floats."""
    start = subject.start
    kinds = {n: a.dtype.kind for n, a in {**start.params, "X": start.X, "Y": start.Y}.items()}
    if not set(kinds.values()) & set("iub"):
        return
    floats = Point(
        {n: np.asarray(a, float) for n, a in start.params.items()},
        np.asarray(start.X, float) if start.X.dtype.kind in "iu" else start.X,
        np.asarray(start.Y, float) if start.Y.dtype.kind in "iu" else start.Y,
    )
    own, cast = subject.try_grads(start), subject.try_grads(floats)
    if cast is None:
        cast = subject.try_grads(floats._replace(Y=start.Y))
    if own is None or cast is None:
        return
    for name, g in own.items():
        size = max(float(np.linalg.norm(cast[name])), float(np.linalg.norm(g)))
        error = float(np.linalg.norm(g - cast[name])) / size if size else 0.0
        if error > 1e-6 and np.array_equal(g, np.round(g)):
            state.truncated[name] = error


def masks(subject: Subject, one: Point, two: Point) -> list[Array]:
    """Return dropout masks: two-valued, with a zero, and the same at different parameters."""
    first, second = subject.trace(one)["arrays"], subject.trace(two)["arrays"]
    others = [np.asarray(v, float) for v in (one.X, one.Y)]
    found: list[Array] = []
    for seen in first:
        array = np.asarray(seen["array"], float)
        values = np.unique(array)
        if array.ndim != 2 or len(values) != 2 or values[0] != 0:
            continue
        if any(
            array.shape in (o.shape, o.T.shape)
            and (np.array_equal(array, o) or np.array_equal(array, o.T))
            for o in others
        ):
            continue
        same = any(np.array_equal(array, np.asarray(s["array"], float)) for s in second)
        known = any(np.array_equal(array != 0, f != 0) for f in found if f.shape == array.shape)
        if same and not known:
            found.append(array)
        elif same:
            # The scaled form of a mask that was seen as zeros and ones.
            found = [
                array
                if f.shape == array.shape
                and np.array_equal(array != 0, f != 0)
                and array.max() != 1
                else f
                for f in found
            ]
    return found
