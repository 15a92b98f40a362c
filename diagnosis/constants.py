"""The numbers a subject's functions hold, and calling them with others in the place of small ones.

Programs add 1e-8 to what they take a logarithm of, a root of, or divide by. The number stands in
the code, among a module's names, in a default or in an object made there; class attributes and
dicts are not looked through. All of it is put back.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

LEAST, MOST = 1e-16, 1e-3


def numbers_held(roots: Sequence[Any], least: float = LEAST, most: float = MOST) -> list[float]:
    """Return numbers from `least` to `most`, small ones unless told otherwise.

    They stand in the functions, or among the names of the modules these are in.
    """
    found: set[float] = set()
    for function in _functions(roots):
        found |= _floats(_constants(function.__code__))
        found |= _floats(function.__defaults__ or ())
        found |= _floats((function.__kwdefaults__ or {}).values())
    for names in _namespaces(roots):
        found |= _floats(names.values())
    return sorted(value for value in found if least <= value <= most)


@contextlib.contextmanager
def replaced(roots: Sequence[Any], numbers: Mapping[float, float]) -> Iterator[None]:
    """Let functions compute with other numbers in the place of small ones."""
    functions = [(f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in _functions(roots)]
    held = [
        (names, name, value)
        for names in _namespaces(roots)
        for name, value in names.items()
        if isinstance(value, float) and value in numbers
    ]
    try:
        for function, code, defaults, keywords in functions:
            function.__code__ = _with(code, numbers)
            function.__defaults__ = defaults and tuple(_other(v, numbers) for v in defaults)
            function.__kwdefaults__ = keywords and {
                name: _other(value, numbers) for name, value in keywords.items()
            }
        for names, name, value in held:
            names[name] = numbers[value]
        yield
    finally:
        for function, code, defaults, keywords in functions:
            function.__code__, function.__defaults__ = code, defaults
            function.__kwdefaults__ = keywords
        for names, name, value in held:
            names[name] = value


def _floats(values: Iterable[Any]) -> set[float]:
    return {float(value) for value in values if isinstance(value, float)}


def _constants(code: types.CodeType) -> Iterator[Any]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _constants(constant)
        else:
            yield constant


def _other(value: Any, numbers: Mapping[float, float]) -> Any:
    return numbers.get(value, value) if type(value) is float else value


def _with(code: types.CodeType, numbers: Mapping[float, float]) -> types.CodeType:
    constants = (
        _with(c, numbers) if isinstance(c, types.CodeType) else _other(c, numbers)
        for c in code.co_consts
    )
    return code.replace(co_consts=tuple(constants))


def _functions(roots: Sequence[Any]) -> list[types.FunctionType]:
    """Return the functions of the roots' modules, methods and those closed over among them."""
    found: dict[int, types.FunctionType] = {}
    todo = list(roots)
    while todo:
        value = todo.pop()
        value = getattr(value, "__func__", value)
        if isinstance(value, type):
            todo += [v for v in vars(value).values() if isinstance(v, types.FunctionType)]
        if not isinstance(value, types.FunctionType) or id(value) in found:
            continue
        found[id(value)] = value
        todo += [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        todo += [v for v in value.__globals__.values() if _is_of(v, value.__globals__)]
    return list(found.values())


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - it raises where there is nothing
    except ValueError:
        return False
    return True


def _is_of(value: Any, names: Mapping[str, Any]) -> bool:
    """Whether a function or a class is written in the module of these names."""
    if isinstance(value, types.FunctionType):
        return value.__globals__ is names
    return isinstance(value, type) and value.__module__ == names.get("__name__")


def _namespaces(roots: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the modules' names, and those of objects of their classes that stand there."""
    found: dict[int, dict[str, Any]] = {}
    for function in _functions(roots):
        names = function.__globals__
        found[id(names)] = names
        for value in names.values():
            made_here = _is_of(type(value), names) and not isinstance(value, type)
            if made_here and hasattr(value, "__dict__"):
                found[id(vars(value))] = vars(value)
    return list(found.values())
