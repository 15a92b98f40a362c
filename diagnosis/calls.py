"""Calling a subject's functions: fresh arguments, checked results, randomness put back."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diagnosis.structure import again, like_params, named

Array = NDArray[Any]
# By the kind of a dtype: what makes numbers of it.
UNFIT: Mapping[str, str] = MappingProxyType({
    "U": "Put a number in the place of each text, such as 0 and 1 for two classes.",
    "S": "Put a number in the place of each text, such as 0 and 1 for two classes.",
    "c": "Where the imaginary part is 0 take .real; else find where it comes from.",
    "M": "Take the time since a start in days or seconds, as a float.",
})  # fmt: skip


class Point(NamedTuple):
    """Where a subject's functions are called."""

    params: Mapping[str, Array]
    X: Array
    Y: Array


def point_of(message: Mapping[str, Any]) -> Point:
    """Return the point that a message names."""
    return Point(message["params"], message["X"], message["Y"])


def flat(grads: Mapping[str, Any]) -> Array:
    """Return the entries of all arrays as floats, one array after the other, `(n,)`."""
    return np.concatenate([np.asarray(g, float).reshape(-1) for g in grads.values()])


class BadResult(Exception):
    """A function returned what cannot be used; the message says what and what is expected."""


def like(original: Any, array: Array) -> Any:
    """Return a copy of an array as the kind of object the author has there."""
    array = np.asarray(array)
    if isinstance(original, np.matrix):
        return np.asmatrix(array.copy())
    if isinstance(original, list | tuple):
        return type(original)(_items(original, array))
    if isinstance(original, np.generic):
        return array[()]
    if isinstance(original, int | float) and array.ndim == 0:
        return array.item()
    return array.copy()


def _items(original: list[Any] | tuple[Any, ...], array: Array) -> list[Any]:
    """Return the items of a list as the author has them: columns in a list stay arrays."""
    if not original or not array.ndim or np.ndim(original[0]) == 0:
        return list(array.tolist())
    # Of fewer samples than the author has, or more, each is of the kind of the first.
    kinds = original if len(original) == len(array) else [original[0]] * len(array)
    return [like(kind, item) for kind, item in zip(kinds, array, strict=True)]


def memory_of(array: Array) -> object:
    """Return what two arrays have in common that are the same memory in the same order."""
    return (array.__array_interface__["data"][0], array.shape, array.strides)


def as_array(value: Any, what: str) -> Array:
    """Return numbers as an array.

    Raises:
        BadResult: these are no numbers, or rows of different lengths.
    """
    if value is None:
        msg = f"`{what}` must be an array of numbers; got None."
        raise BadResult(msg)
    try:
        array = np.asarray(value)
    except ValueError as error:
        msg = f"`{what}` must be an array of numbers; got rows of different lengths."
        raise BadResult(msg) from error
    if array.dtype.kind == "O":
        try:
            array = array.astype(float)
        except (TypeError, ValueError) as error:
            msg = f"`{what}` must be an array of numbers; got {_seen(value)}."
            raise BadResult(msg) from error
    if array.dtype.kind not in "biuf":
        msg = f"`{what}` must be an array of numbers; got {_unfit(value, array)}"
        raise BadResult(msg)
    return array


def _unfit(value: Any, array: Array) -> str:
    """Say what an array holds that is no real number, and what to do about it."""
    if not isinstance(value, np.ndarray):
        return f"{_seen(value)}."
    step = UNFIT.get(array.dtype.kind, "Convert it with astype(float).")
    return f"dtype {array.dtype}. {step}"


def _seen(value: Any) -> str:
    kind = type(value).__name__
    text = repr(value) if isinstance(value, str | bytes | int | float | complex) else ""
    return "None" if value is None else f"{kind} {text[:40]}".strip()


def as_loss(value: Any) -> float:
    """Return a loss as a float.

    Raises:
        BadResult: it is no single number.
    """
    if value is None:
        msg = "`loss` must return one number; got None."
        raise BadResult(msg)
    array = as_array(value, "loss")
    if array.size != 1:
        msg = f"`loss` must return one number; got an array of shape {array.shape}."
        raise BadResult(msg)
    return float(array.reshape(()))


def as_grads(value: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Return gradients in the shapes of the parameters.

    A gradient of the same numbers in another shape is reshaped, one number is broadcast.

    Raises:
        BadResult: wrong keys, shapes or values.
    """
    if isinstance(value, list | tuple):
        msg = (
            f"`grads` must return a dict with the keys of params; got {_seen(value)}. "
            f"Write return {{{', '.join(f'{n!r}: d{n}' for n in shapes)}}}; "
            "python diagnose.py --template shows an adapter."
        )
        raise BadResult(msg)
    if not isinstance(value, Mapping):
        msg = f"`grads` must return a dict with the keys of params; got {_seen(value)}."
        raise BadResult(msg)
    expected, got = ", ".join(shapes), ", ".join(map(str, value))
    if set(value) != set(shapes):
        msg = f"`grads` must return a dict with the keys of params, {expected}; got {got}."
        raise BadResult(msg)
    return {name: _fit(as_array(value[name], f"grads['{name}']"), name, shapes) for name in shapes}


def _fit(grad: Array, name: str, shapes: Mapping[str, tuple[int, ...]]) -> Array:
    shape = shapes[name]
    if grad.shape == shape:
        return grad.copy()
    if grad.size == 1:
        return np.broadcast_to(grad.reshape(()), shape).copy()
    if grad.size == np.prod(shape) and [n for n in grad.shape if n != 1] == [
        n for n in shape if n != 1
    ]:
        return grad.reshape(shape).copy()
    msg = f"`grads['{name}']` must have the shape of params['{name}'], {shape}; got {grad.shape}."
    if len(shape) > 1 and grad.shape == shape[::-1]:
        msg = f"{msg[:-1]}: it is transposed. Return its .T if that is all that is different."
    raise BadResult(msg)


def _generators(namespace: Mapping[str, Any]) -> list[Any]:
    """Return the bit generators a module keeps, at its top level or in objects found there."""
    found = []
    for value in list(namespace.values()):
        for item in (value, *getattr(value, "__dict__", {}).values()):
            if isinstance(item, np.random.Generator):
                found.append(item.bit_generator)
            elif isinstance(item, np.random.RandomState):
                found.append(item._bit_generator)
    return found


class Randomness:
    """The state of all random numbers a subject can draw, to be put back before each call."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        # One number on: a subject that seeds in each call was left, by its own last call, in the
        # state that the next one ends in, and nothing would seem to have been drawn.
        np.random.random_sample()  # noqa: NPY002 - the subject's, not ours
        random.random()  # noqa: S311
        self._numpy: Any = np.random.get_state()  # noqa: NPY002
        self._python = random.getstate()
        self._own = [(bits, bits.state) for bits in _generators(namespace)]

    def drawn(self) -> bool:
        """Whether numbers were drawn since they were put back."""
        now: Any = np.random.get_state()  # noqa: NPY002
        moved = now[2] != self._numpy[2] or not np.array_equal(now[1], self._numpy[1])
        return bool(
            moved
            or random.getstate() != self._python
            or any(repr(bits.state) != repr(state) for bits, state in self._own)
        )

    def put_back(self) -> None:
        """Start all streams again where they were."""
        np.random.set_state(self._numpy)  # noqa: NPY002
        random.setstate(self._python)
        for bits, state in self._own:
            bits.state = state


class Caller:
    """The five names of a subject, called as the author would call them.

    Attributes:
        original: params as the author keeps them.
        params: their arrays by name; these, X and Y are lists or matrices where the author's are.
        loss_function: the author's own.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.original = namespace["params"]
        self.params: Mapping[str, Any] = named(self.original, namespace)
        self.X, self.Y = namespace["X"], namespace["Y"]
        self.loss_function: Callable[..., Any] = namespace["loss"]
        self._grads: Callable[..., Any] = namespace["grads"]
        self.train: Callable[..., Any] | None = namespace.get("train")
        self.namespace = namespace
        self._shapes = {name: np.shape(value) for name, value in self.params.items()}
        self.randomness = Randomness(namespace)
        self._draws: bool | None = None

    def arguments(self, point: Point) -> tuple[Any, Any, Any]:
        """Return copies of a point as the author's kinds of objects."""
        made = {name: like(self.params[name], point.params[name]) for name in self.params}
        params = again(self.original, iter(made.values()))
        return params, like(self.X, point.X), like(self.Y, point.Y)

    def by_name(self, result: Any) -> Any:
        """Return gradients or parameters as a dict of names; what is of no such form, as it is."""
        return like_params(result, self.original, self.params)

    def as_shared(self, point: Point) -> Any:
        """Return copies of params; those that are one array for the author are one again."""
        made: dict[str, Any] = {}
        first: dict[object, str] = {}
        for name, original in self.params.items():
            key = memory_of(original) if isinstance(original, np.ndarray) else name
            if key in first:
                made[name] = made[first[key]]
            else:
                made[name] = like(original, point.params[name])
                first[key] = name
        return again(self.original, iter(made.values()))

    def loss(self, point: Point) -> float:
        """Return the loss, each time with the same random numbers."""
        if self._draws is not False:
            self.randomness.put_back()
        with np.errstate(all="ignore"):
            value = as_loss(self.loss_function(*self.arguments(point)))
        if self._draws is None:
            # Putting all random numbers back takes longer than many a loss.
            self._draws = self.randomness.drawn()
        return value

    def grads(self, point: Point) -> dict[str, Array]:
        """Return the gradients, each time with the same random numbers."""
        self.randomness.put_back()
        with np.errstate(all="ignore"):
            return as_grads(self.by_name(self._grads(*self.arguments(point))), self._shapes)
