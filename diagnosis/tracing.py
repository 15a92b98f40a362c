"""Watch the arrays of a running program: which were there, and which were written over.

A line tracer looks at the variables of the subject's own functions after each line. An array whose
content changed in place is reported with the contents before and after, and the line. This
separates mistakes that give the same numbers: a slope taken of `a`, and a slope taken of a `z`
that an activation has overwritten.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np

from diagnosis.calls import Array

MOST = 400
LARGEST = 200_000
DEEPEST = 3
FOREIGN = ("builtins", "numpy", "types", "functools")


def _arrays(value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, Array]]:
    """Yield the arrays in a variable, in lists and dicts of it, and in attributes."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf" and 0 < value.size <= LARGEST:
            yield name, value
    elif depth < DEEPEST:
        if isinstance(value, list | tuple):
            for i, item in enumerate(value[:20]):
                yield from _arrays(item, f"{name}[{i}]", depth + 1)
        elif isinstance(value, dict):
            for key, item in list(value.items())[:40]:
                yield from _arrays(item, f"{name}[{key!r}]", depth + 1)
        elif type(value).__module__ not in FOREIGN and not isinstance(value, type):
            for key, item in list(getattr(value, "__dict__", {}).items())[:40]:
                yield from _arrays(item, f"{name}.{key}", depth + 1)


class _Watch:
    def __init__(self, path: str) -> None:
        self.path = path
        # Arrays are kept alive, so that an address is never that of another array.
        self.seen: dict[tuple[Any, ...], tuple[str, Array, Array]] = {}
        self.writes: list[dict[str, Any]] = []
        self.line = 0

    def look(self, frame: FrameType) -> None:
        # A function's globals may hold the network; those of a module are its locals.
        held = {**frame.f_globals, **frame.f_locals}
        for variable, value in list(held.items()):
            if variable.startswith("__"):
                continue
            for name, array in _arrays(value, variable):
                key = (array.__array_interface__["data"][0], array.shape, array.strides)
                if key not in self.seen and len(self.seen) < MOST:
                    self.seen[key] = (name, array, array.copy())
        for key, (name, array, before) in list(self.seen.items()):
            if not np.array_equal(array, before, equal_nan=array.dtype.kind == "f"):
                self.writes.append(
                    {"name": name, "line": self.line, "before": before, "after": array.copy()}
                )
                self.seen[key] = (name, array, array.copy())

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002
        if frame.f_code.co_filename != self.path:
            return None
        self.look(frame)
        self.line = frame.f_lineno
        return self


def trace(call: Callable[[], Any], path: str) -> dict[str, Any]:
    """Run a call and return what was seen.

    Args:
        call: a function without arguments.
        path: only frames of this file are looked at.

    Returns:
        `writes`, a list of name, line, before and after; `arrays`, a list of name and array, in
        the order in which they appeared, each with its content then.
    """
    watch = _Watch(path)
    sys.settrace(watch)
    try:
        call()
    finally:
        sys.settrace(None)
    first: dict[tuple[Any, ...], Array] = {}
    for write in reversed(watch.writes):
        first[write["name"], write["before"].shape] = write["before"]
    arrays = [
        {"name": name, "array": first.get((name, now.shape), now)}
        for name, _, now in watch.seen.values()
    ]
    return {"writes": watch.writes[:MOST], "arrays": arrays}
