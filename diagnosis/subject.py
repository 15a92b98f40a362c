"""A subject as the diagnosis sees it: arrays, and functions that can be called at points."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from diagnosis.calls import Array, BadResult, Caller, Point
from diagnosis.errors import CallFailed, SubjectFailed
from diagnosis.notebooks import source_of
from diagnosis.sandbox import MEMORY, SECONDS, Sandbox
from diagnosis.tasks import TASKS

Ask = Callable[..., Any]


class Subject:
    """Params, data and functions of a network somebody wrote.

    Attributes:
        path: what to call it.
        params, X, Y: as arrays, in the author's types.
        start: the point where the author's training starts.
        train: the numeric defaults of `train`'s parameters; None if there is no `train`.
        shared: pairs of parameters that are the same memory.
        settings: the module's numbers by name.
        shares: numbers between 0 and 1 that its functions hold.
    """

    def __init__(self, ask: Ask, path: str, printed: Callable[[], int] = lambda: 0) -> None:
        self.ask, self.path, self.printed = ask, path, printed
        told = ask("describe")
        self.params: dict[str, Array] = told["params"]
        self.X: Array = told["X"]
        self.Y: Array = told["Y"]
        self.train: dict[str, float] | None = told["train"]
        self.shared: list[list[str]] = told["shared"]
        self.settings: dict[str, float] = told["globals"]
        self.shares: list[float] = told["shares"]

    def with_(self, **changes: Any) -> Subject:
        """Return a subject that is asked in another way, or has other data."""
        other = copy.copy(self)
        vars(other).update(changes)
        return other

    @property
    def start(self) -> Point:
        """The author's start, on the author's data."""
        return Point(self.params, self.X, self.Y)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(array.size for array in self.params.values())

    def losses(self, points: Sequence[Point], *, lenient: bool = True) -> Array:
        """Return the loss at each point; NaN where it cannot be had, if `lenient`."""
        message = [point._asdict() for point in points]
        return np.asarray(self.ask("losses", points=message, lenient=lenient), float)

    def grads(self, point: Point) -> dict[str, Array]:
        """Return the gradients, from a fresh copy of the program."""
        return self.in_turn([point])[0]

    def in_turn(self, points: Sequence[Point]) -> list[dict[str, Array]]:
        """Return the gradients at points, one after the other in one copy of the program."""
        told = self.ask("grads", points=[point._asdict() for point in points])
        return [dict(grads.items()) for grads in told]

    def trace(self, point: Point) -> dict[str, Any]:
        """Run `grads` under a tracer; nothing is seen where that fails."""
        try:
            told: dict[str, Any] = self.ask("trace", **point._asdict(), path=self.path)
        except CallFailed:
            return {"writes": [], "arrays": []}
        return told

    def try_grads(self, point: Point) -> dict[str, Array] | None:
        """Return the gradients as floats, or None where the subject does not take the point."""
        try:
            return {n: np.asarray(g, float) for n, g in self.grads(point).items()}
        except CallFailed:
            return None


@contextmanager
def opened(path: str, *, seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[Subject]:
    """Run the module at `path` in a process of its own.

    Raises:
        SubjectFailed: it cannot be read or run.
    """
    sandbox = Sandbox(source_of(Path(path)), path, seconds=seconds, memory=memory)
    try:
        yield Subject(sandbox.ask, path, lambda: sandbox.printed)
    finally:
        sandbox.close()


def given(
    params: Mapping[str, Any],
    X: Any,
    Y: Any,
    loss: Callable[..., Any],
    grads: Callable[..., Any],
    train: Callable[..., Any] | None = None,
) -> Subject:
    """Make a subject of functions in this process; nothing protects the process from them."""
    names = {"params": params, "X": X, "Y": Y, "loss": loss, "grads": grads}
    caller = Caller(names if train is None else {**names, "train": train})
    file = getattr(getattr(grads, "__code__", None), "co_filename", "")

    def ask(do: str, *, seconds: float | None = None, **message: Any) -> Any:  # noqa: ARG001
        if do == "trace":
            message["path"] = file
        try:
            return TASKS[do](caller, message)
        except BadResult as error:
            raise CallFailed(str(error)) from error
        except SubjectFailed:
            raise
        except Exception as error:
            msg = f"The subject raised {type(error).__name__}: {error}"
            raise CallFailed(msg) from error

    try:
        return Subject(ask, "your functions")
    except BadResult as error:
        raise SubjectFailed(str(error)) from error
