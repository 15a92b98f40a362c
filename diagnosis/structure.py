"""Parameters as lists, tuples or dicts of arrays, and how they become names and arrays and back.

Many programs keep `[W1, b1, W2, b2]`, `[(W1, b1), (W2, b2)]` or `{"W": [W1, W2]}`. Their functions
get what they know, and the diagnosis sees names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Names = Mapping[str, Any]


def _holds_arrays(value: Any) -> bool:
    """Whether a list is one of arrays, not an array that is written as a list."""
    return isinstance(value, list | tuple) and any(
        (isinstance(v, np.ndarray) and v.ndim > 0) or _holds_arrays(v) for v in value
    )


def _leaves(value: Any, name: str, top: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{name}{key}", top=False)
    elif (top and isinstance(value, list | tuple)) or _holds_arrays(value):
        # Lists in a dict are counted as layers are, from 1; a list that is all there is, from 0.
        for i, item in enumerate(value, start=0 if top else 1):
            yield from _leaves(item, f"{name or 'p'}{i}" if top else f"{name}_{i}", top=False)
    else:
        yield name, value


def named(params: Any, namespace: Names | None = None) -> dict[str, Any]:
    """Return the arrays of params by name, in order.

    Those of a list have the names that the program itself has for them, if it has one for each;
    else p0, p1, and so on.

    Args:
        params: a dict, or a list or tuple; also of lists or tuples of arrays.
        namespace: the program's names.
    """
    found = dict(_leaves(params, "", top=True))
    if isinstance(params, Mapping) or namespace is None:
        return found
    own = {id(v): n for n, v in reversed(list(namespace.items())) if isinstance(v, np.ndarray)}
    names = [own.get(id(v), "") for v in found.values()]
    if all(names) and len(set(names)) == len(names):
        return dict(zip(names, found.values(), strict=True))
    return found


def again(original: Any, values: Iterator[Any]) -> Any:
    """Return values in the structure of the author's params."""
    return _again(original, values, top=True)


def _again(original: Any, values: Iterator[Any], top: bool) -> Any:
    if isinstance(original, Mapping):
        return {key: _again(item, values, top=False) for key, item in original.items()}
    if (top and isinstance(original, list | tuple)) or _holds_arrays(original):
        items = [_again(item, values, top=False) for item in original]
        return tuple(items) if isinstance(original, tuple) else items
    return next(values)


def like_params(result: Any, params: Any, names: Names) -> Any:
    """Return what a function gave as a dict with the names of params, if it has their structure.

    A list beside a dict is not read in the order of the dict: it may be in any.
    """
    if isinstance(params, Mapping):
        if not isinstance(result, Mapping) or list(names) == [str(key) for key in params]:
            return result
        result = {key: result[key] for key in params} if set(result) == set(params) else result
    elif not isinstance(result, list | tuple):
        return result
    items = [value for _, value in _leaves(result, "", top=True)]
    return dict(zip(names, items, strict=True)) if len(items) == len(names) else result
