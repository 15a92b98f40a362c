"""What a condition may be made of: a part of Python's grammar, and what its signs do."""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from sweeps.errors import BadInput

LONGEST = 1000
DEEPEST = 100
CONSTANTS: Mapping[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "none": None,
    "inf": math.inf,
    "nan": math.nan,
}
ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,  # of floats: a tower of whole-number powers would never end
}
COMPARISON: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
NAMES = (ast.Name, ast.Attribute, ast.Subscript)
GRAMMAR: tuple[type[ast.AST], ...] = (
    *(ast.Constant, ast.Tuple, ast.List, ast.Load),
    *(ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BoolOp, ast.And, ast.Or),
    *(ast.BinOp, ast.Compare, *ARITHMETIC.keys(), *COMPARISON.keys()),
)


def tree_of(text: str, key: str) -> ast.expr:
    """Parse a condition; nothing of it is run.

    Raises:
        BadInput: it is too long, or no expression of Python's.
    """
    if len(text) > LONGEST:
        raise BadInput(f"`{key}` must be at most {LONGEST} characters; got {len(text)}.")
    try:
        with warnings.catch_warnings():  # Python warns of odd spellings while it parses
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        equals = " Write == to compare." if re.search(r"[^=<>!]=[^=]", text) else ""
        raise BadInput(
            f"`{key}` must be a condition such as lr*depth < 1; got {text}, which cannot be read."
            f"{equals}"
        ) from error


def kind_of(value: Any) -> str:
    """Sort a value into what may be compared with what; a truth value is no number here."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list"


def name_of(node: ast.AST) -> str | None:
    """Return `lr_factor.0` for `lr_factor[0]` and `data.noise` for itself; None for no name."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=last):
            first = name_of(value)
        case ast.Subscript(value=value, slice=ast.Constant(value=int(last))):
            first = name_of(value)
        case _:
            return None
    return None if first is None else f"{first}.{last}"


def position_of(node: ast.AST) -> int | None:
    """Return the number in `width[0]` or `width[-1]`."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=int(position))):
            return position
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(p)))):
            return -p
    return None
