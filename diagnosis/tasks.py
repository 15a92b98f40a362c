"""What a subject can be asked to do, each a function of its `Caller` and the message.

They run in a fresh copy of the subject's process, or in ours for functions handed over in Python.
Whatever they return can travel over `wire`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from diagnosis.calls import Array, BadResult, Caller, Point, as_array, memory_of, point_of
from diagnosis.constants import numbers_held, replaced
from diagnosis.differences import direction_of, roughness, slope
from diagnosis.structure import named
from diagnosis.tracing import trace
from diagnosis.trainings import along, descend, first_steps, train

SHARES = (0.01, 0.99)
NUMBERS = (int, float, np.integer, np.floating)


def _shared(params: Mapping[str, Any]) -> list[list[str]]:
    """Return pairs of parameters that are the same memory in the same order."""
    arrays = {n: v for n, v in params.items() if isinstance(v, np.ndarray) and v.size}
    keys = {name: memory_of(a) for name, a in arrays.items()}
    names = list(keys)
    return [[m, n] for i, m in enumerate(names) for n in names[i + 1 :] if keys[m] == keys[n]]


def describe(caller: Caller, message: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Return params, X and Y as arrays, and what else the module has."""
    if unfilled := _unfilled(caller):
        raise BadResult(unfilled)
    if not isinstance(caller.original, Mapping | list | tuple) or not caller.params:
        msg = "`params` must be a dict of name -> array with at least one array; got "
        raise BadResult(msg + (f"{type(caller.original).__name__}." if caller.params else "none."))
    return {
        "params": {str(n): as_array(v, f"params['{n}']") for n, v in caller.params.items()},
        "X": _samples(caller.X, "X"),
        "Y": _samples(caller.Y, "Y"),
        "train": _signature(caller.train),
        "shared": _shared(caller.params),
        "globals": {
            name: float(value)
            for name, value in caller.namespace.items()
            if isinstance(value, NUMBERS) and not isinstance(value, bool)
        },
        "shares": numbers_held([caller.loss_function], *SHARES),
    }


def _samples(value: Any, what: str) -> Array:
    array = as_array(value, what)
    if not array.size:
        msg = f"`{what}` must hold at least one sample; got an array of shape {array.shape}."
        raise BadResult(msg)
    return array


def _unfilled(caller: Caller) -> str:
    """Name what still stands as in the template; empty where nothing does."""
    data = [name for name in ("X", "Y") if getattr(caller, name) is ...]
    if not data:
        return ""
    names = data if caller.params else ["params", *data]
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return (
        f"Fill in {listed}: put your own arrays where the template has gaps. "
        "Then let loss and grads call your code."
    )


def _signature(function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """Return numeric defaults of a function's parameters; None without a function."""
    if not callable(function):
        return None
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: float(p.default) for p in parameters if isinstance(p.default, NUMBERS)}


def losses(caller: Caller, message: Mapping[str, Any]) -> Array:
    """Return the loss at each point; NaN where it raises and `lenient` is set."""
    found = []
    with _other_numbers(caller, message):
        for point in message["points"]:
            try:
                found.append(caller.loss(point_of(point)))
            except Exception:
                if not message.get("lenient"):
                    raise
                found.append(float("nan"))
    return np.array(found)


def _other_numbers(caller: Caller, message: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Let the loss compute with other numbers in the place of small ones, where that is asked."""
    pairs = message.get("numbers")
    return replaced([caller.loss_function], dict(pairs)) if pairs else nullcontext()


def held_numbers(caller: Caller, message: Mapping[str, Any]) -> list[float]:  # noqa: ARG001
    """Return the small numbers that the loss, and what it is written beside, hold."""
    return numbers_held([caller.loss_function])


def grads(caller: Caller, message: Mapping[str, Any]) -> list[dict[str, Array]]:
    """Return the gradients at each point, one call after another in the same process."""
    return [caller.grads(point_of(point)) for point in message["points"]]


def slopes(caller: Caller, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return, of each point, loss, roughness, and `(3, k)` slope, doubt and noise of entries."""
    with _other_numbers(caller, message):
        return [_slopes_at(caller, point_of(p), message["entries"]) for p in message["points"]]


def _slopes_at(
    caller: Caller, start: Point, entries: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    params = {name: np.array(array, float) for name, array in start.params.items()}
    point = Point(params, start.X, start.Y)
    here = caller.loss(point)
    direction = direction_of(params)

    def along(t: float) -> float:
        moved = {name: params[name] + t * direction[name] for name in params}
        return caller.loss(Point(moved, start.X, start.Y))

    rough = roughness(along)
    found = {}
    for name, chosen in entries.items():
        array = params[name].reshape(-1)
        found[name] = np.array([_entry(caller, point, array, i, here, rough) for i in chosen])
    return {
        "loss": here,
        "rough": rough,
        "slopes": {name: values.reshape(-1, 3).T for name, values in found.items()},
    }


def _entry(caller: Caller, point: Point, array: Array, i: int, here: float, rough: float) -> Array:
    value = array[i]

    def along(displacement: float) -> float:
        array[i] = value + displacement
        try:
            return caller.loss(point)
        finally:
            array[i] = value

    return slope(along, here, value, rough)


def purity(caller: Caller, message: Mapping[str, Any]) -> dict[str, Any]:
    """Call `grads` and `loss` and see what they change besides returning a result."""
    point, other = point_of(message), point_of(message["other"])
    changed: list[str] = []
    with np.errstate(all="ignore"):
        for function, what in ((caller.loss_function, "loss"), (caller._grads, "grads")):
            arguments = caller.arguments(point)
            function(*arguments)
            changed += [f"{what} writes into {name}" for name in _differences(arguments, point)]
        arguments = caller.arguments(point)
        caller.randomness.put_back()
        result = caller.by_name(caller._grads(*arguments))
        drawn = caller.randomness.drawn()
        kept = {n: np.array(v) for n, v in result.items()} if isinstance(result, Mapping) else {}
        aliases = [
            f"grads['{n}'] is the memory of params['{p}']"
            for n in kept
            for p, array in zip(caller.params, _arrays(arguments[0]), strict=True)
            if isinstance(array, np.ndarray)
            and isinstance(result[n], np.ndarray)
            and np.shares_memory(array, result[n])
        ]
        shapes = list(_spreading(result, caller.params)) if kept else []
        caller._grads(*caller.arguments(other))
    later = [
        f"grads['{n}'] changes when grads is called again"
        for n, v in kept.items()
        if not np.array_equal(v, np.asarray(result[n]), equal_nan=v.dtype.kind == "f")
    ]
    caller.randomness.put_back()
    first = caller.loss(point)
    random = caller.randomness.drawn()
    caller.loss(other)
    return {
        "random": random,
        "drawn": drawn,
        "effects": [*changed, *aliases, *later, *shapes],
        "dtypes": {n: str(np.asarray(v).dtype) for n, v in kept.items()},
        "stateful": bool(caller.loss(point) != first and first == first),
    }


def _spreading(grads: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
    """Yield gradients whose shape makes another one of the parameter's when it is stepped."""
    for name, value in params.items():
        own, given = np.shape(value), np.shape(grads[name])
        stepped = np.broadcast_shapes(own, given)
        if stepped != own:
            yield (
                f"grads['{name}'] has the shape {given} and params['{name}'] the shape {own}, so "
                f"params['{name}'] - lr * grads['{name}'] has the shape {stepped}"
            )


def _arrays(params: Any) -> list[Any]:
    return list(named(params).values())


def _differences(arguments: tuple[Any, Any, Any], point: Point) -> list[str]:
    held = dict(zip(point.params, _arrays(arguments[0]), strict=True))
    pairs = {f"params['{n}']": (held[n], point.params[n]) for n in point.params}
    pairs |= {"X": (arguments[1], point.X), "Y": (arguments[2], point.Y)}
    return [name for name, (now, was) in pairs.items() if not _equal(now, was)]


def _equal(now: Any, was: Array) -> bool:
    """Whether nothing changed; what is no number, and stays so, did not."""
    one, other = np.asarray(now), np.asarray(was)
    if one.shape != other.shape:
        return False
    return bool(np.all((one == other) | ((one != one) & (other != other))))


def traced(caller: Caller, message: Mapping[str, Any]) -> dict[str, Any]:
    """Run `grads` under a tracer; see `tracing`."""
    point = point_of(message)
    path = message["path"]
    return trace(lambda: caller.grads(point), path)


TASKS: Mapping[str, Callable[[Caller, Mapping[str, Any]], Any]] = {
    "describe": describe,
    "losses": losses,
    "grads": grads,
    "slopes": slopes,
    "small_numbers": held_numbers,
    "purity": purity,
    "train": train,
    "first_steps": first_steps,
    "along": along,
    "descend": descend,
    "trace": traced,
}
