"""What a subject's training can be asked: to run, changed or not, to be watched, to be imitated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from diagnosis.calls import Array, BadResult, Caller, Point, as_array, point_of
from diagnosis.structure import again, named


def train(caller: Caller, message: Mapping[str, Any]) -> dict[str, Any]:
    """Train as the author does, with other values for some settings."""
    function = caller.train
    if function is None:
        msg = "`train` must be a function; got None."
        raise BadResult(msg)
    for name, value in message.get("globals", {}).items():
        caller.namespace[name] = value  # type: ignore[index]
    point = point_of(message)
    params, X, Y = caller.arguments(point)
    if message.get("shared"):
        params = caller.as_shared(point)
    caller.randomness.put_back()
    times = message.get("times", 1.0)
    others = {} if times == 1 else {"grads": _scaled(caller, times)}
    with np.errstate(all="ignore"), _instead(function, others):
        result = function(params, X, Y, **message.get("settings", {}))
    if not (isinstance(result, tuple | list) and len(result) == 2):
        msg = "`train` must return (params, losses); got something else."
        raise BadResult(msg)
    ended, curve = caller.by_name(result[0]), result[1]
    curve = np.array([np.asarray(value, float).reshape(-1)[0] for value in curve], float)
    return {
        "params": {str(n): as_array(v, f"params['{n}']").astype(float) for n, v in ended.items()},
        "losses": curve,
    }


@contextmanager
def _instead(function: Callable[..., Any], functions: Mapping[str, Any]) -> Iterator[None]:
    """Let a function find others under some names of its module, for a while."""
    scope = getattr(function, "__globals__", {})
    own = {name: scope[name] for name in functions if name in scope}
    scope.update({name: functions[name] for name in own})
    try:
        yield
    finally:
        scope.update(own)


def _scaled(caller: Caller, times: float) -> Callable[..., Any]:
    """Return the author's `grads` with all they return scaled."""

    def grads(*arguments: Any, **named_ones: Any) -> Any:
        result = caller._grads(*arguments, **named_ones)
        values = [times * np.asarray(value, float) for value in named(result).values()]
        return again(result, iter(values))

    return grads


class _Enough(BaseException):
    """Training was watched for as many steps as are wanted."""


def first_steps(caller: Caller, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with which training first calls `loss` or `grads`.

    Returns:
        `seen`, one dict for each point, the start first, of `most` steps if there are as many;
        `grads` at each, what training got where it asked once, else of the whole loss; `by_grads`,
        whether training calls `grads`.
    """
    if caller.train is None:
        msg = "`train` must be a function; got None."
        raise BadResult(msg)
    point = point_of(message)
    seen: list[dict[str, Array]] = []
    given: list[list[dict[str, Array]]] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(params: Any, *rest: Any, **named_ones: Any) -> Any:
            held = caller.by_name(params)
            here = {n: np.array(held[n], float) for n in caller.params}
            if not seen or any(not np.array_equal(here[n], seen[-1][n]) for n in here):
                seen.append(here)
                given.append([])
            if len(seen) > message["most"]:
                raise _Enough
            result = function(params, *rest, **named_ones)
            if name == "grads":
                got = caller.by_name(result)
                given[-1].append({n: np.array(got[n], float) for n in caller.params})
            return result

        return call

    watchers = {
        n: watched(n, f) for n, f in (("loss", caller.loss_function), ("grads", caller._grads))
    }
    caller.randomness.put_back()
    with suppress(_Enough), np.errstate(all="ignore"), _instead(caller.train, watchers):
        caller.train(*caller.arguments(point))
    grads = [
        got[0] if len(got) == 1 else caller.grads(Point(params, point.X, point.Y))
        for params, got in zip(seen, given, strict=True)
    ]
    return {"seen": seen, "grads": grads, "by_grads": any(given)}


def along(caller: Caller, message: Mapping[str, Any]) -> Array:
    """Return the loss after one plain step from a point, at each of some rates."""
    point = point_of(message)
    params = {name: np.array(array, float) for name, array in point.params.items()}
    step = caller.grads(point)
    moved = (
        Point({n: params[n] - rate * step[n] for n in params}, point.X, point.Y)
        for rate in message["rates"]
    )
    return np.array([caller.loss(p) for p in moved])


def descend(caller: Caller, message: Mapping[str, Any]) -> dict[str, Any]:
    """Take plain steps down given or the author's own gradients, and record the loss."""
    point = point_of(message)
    params = {name: np.array(array, float) for name, array in point.params.items()}
    curve = []
    for _ in range(message["steps"]):
        here = Point(params, point.X, point.Y)
        curve.append(caller.loss(here))
        step = caller.grads(here)
        params = {name: params[name] - message["lr"] * step[name] for name in params}
    curve.append(caller.loss(Point(params, point.X, point.Y)))
    return {"params": params, "losses": np.array(curve)}
