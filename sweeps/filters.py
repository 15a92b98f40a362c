"""The condition `only` puts on the cells of a sweep, read without ever being run as Python."""

from __future__ import annotations

import ast
import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sweeps.conditions import (
    ARITHMETIC,
    COMPARISON,
    CONSTANTS,
    DEEPEST,
    GRAMMAR,
    NAMES,
    kind_of,
    name_of,
    position_of,
    tree_of,
)
from sweeps.errors import BadInput, nearest

MOST_LISTED = 12
AXES = "axes of this sweep"


def no_axis(key: str, name: str, names: Iterable[str], kind: str = AXES) -> str:
    """Phrase the error for a name in `zip` or `only` that is no axis of the sweep.

    Of many names the nearest are listed.
    """
    listed = list(names)
    guess = nearest(name, listed)
    hint = f" Did you mean {guess}?" if guess else ""
    if len(listed) > MOST_LISTED:
        listed = [*difflib.get_close_matches(name, listed, MOST_LISTED // 2, cutoff=0), "..."]
    return f"`{key}` must name {kind} ({', '.join(listed) or 'none'}); got {name}.{hint}"


class Filter:
    """A condition over axis names, in Python's grammar.

    Known are numbers, texts, true, false, null, lists, comparisons (chained, and `in` a list),
    arithmetic, `and`, `or`, `not` and parentheses. An axis with dots is named as it is,
    `data.noise`; the element `lr_factor.0` of a list as `lr_factor[0]`.

    Args:
        text: The condition as typed.
        axes: The values of each axis, by name.
        key: What the condition is given as, for errors.
        kind: What its names are, for errors.

    Attributes:
        names: The axes it names.

    Raises:
        BadInput: The text is no expression of that kind, or names what is no axis.
    """

    def __init__(
        self, text: str, axes: Mapping[str, Iterable[Any]], key: str = "only", kind: str = AXES
    ) -> None:
        self._text = text
        self._key, self._kind_of_names = key, kind
        self._kinds = {name: {kind_of(value) for value in values} for name, values in axes.items()}
        self._words = {v for values in axes.values() for v in values if isinstance(v, str)}
        self._tree = tree_of(text, key)
        self.names: dict[str, None] = {}  # in order, each once
        self._check(self._tree)

    def holds(self, cell: Mapping[str, Any]) -> bool:
        """Tell whether the condition holds for a cell, given as values of the axes it names.

        Raises:
            BadInput: Unlike things are compared, a number cannot be computed, or the whole is
                neither true nor false.
        """
        try:
            held = self._value(self._tree, cell)
        except (ArithmeticError, _NoValueError) as error:
            where = ", ".join(f"{name}={value}" for name, value in cell.items()) or "all"
            raise BadInput(
                f"`{self._key}` must have a value for each cell; got {self._text}, "
                f"which has none at {where}."
            ) from error
        if not isinstance(held, bool):
            raise BadInput(
                f"`{self._key}` must be true or false; got {self._text}, which is {held!r}. "
                "Compare it with something."
            )
        return held

    def _check(self, node: ast.AST, depth: int = 0) -> None:
        """Refuse what the grammar does not know and names that are no axes, before any cell."""
        if depth > DEEPEST:
            raise BadInput(
                f"`{self._key}` must be nested at most {DEEPEST} deep; got {self._text}."
            )
        if isinstance(node, NAMES):
            self._check_name(node)
            return
        known = isinstance(node, GRAMMAR)
        if known and isinstance(node, ast.Constant):
            known = isinstance(node.value, bool | int | float | str | None)
        if not known:
            got = ast.unparse(node) if isinstance(node, ast.expr) else self._text
            raise BadInput(
                f"`{self._key}` must be made of axis names, numbers, texts, lists, comparisons, "
                f"arithmetic, and, or, not; got {got}."
            )
        for child in ast.iter_child_nodes(node):
            self._check(child, depth + 1)

    def _check_name(self, node: ast.expr) -> None:
        name = name_of(node)
        axis = name if name in self._kinds else self._list_of(node)
        if axis is not None:
            self.names[axis] = None
        if axis is not None or name in CONSTANTS:
            return
        shown = ast.unparse(node)
        if shown in self._words:
            raise BadInput(
                f"`{self._key}` must have texts in quotes; got {shown}. Write '{shown}'."
            )
        raise BadInput(no_axis(self._key, name or shown, self._kinds, self._kind_of_names))

    def _list_of(self, node: ast.expr) -> str | None:
        """Return the axis `width` of an element `width[0]`, if that axis varies a list."""
        if not isinstance(node, ast.Subscript) or position_of(node) is None:
            return None
        name = name_of(node.value)
        return name if name is not None and "list" in self._kinds.get(name, ()) else None

    def _value(self, node: ast.expr, cell: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return [self._value(item, cell) for item in items]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self._truth(operand, cell)
            case ast.UnaryOp(op=sign, operand=operand):
                number = self._number(operand, cell)
                return -number if isinstance(sign, ast.USub) else number
            case ast.BinOp(left=left, op=sign, right=right):
                return self._computed(sign, self._number(left, cell), self._number(right, cell))
            case ast.BoolOp(op=ast.And(), values=operands):
                return all(self._truth(operand, cell) for operand in operands)
            case ast.BoolOp(values=operands):
                return any(self._truth(operand, cell) for operand in operands)
            case ast.Compare():
                return all(self._compared(node, cell))
        return self._named(node, cell)

    def _named(self, node: ast.expr, cell: Mapping[str, Any]) -> Any:
        name = name_of(node)
        if name is not None and name in cell:
            return cell[name]
        if name is not None and name in CONSTANTS:
            return CONSTANTS[name]
        whole = cell[self._list_of(node) or ""]
        position = position_of(node)
        if position is None or not isinstance(whole, list):
            raise _NoValueError
        if not -len(whole) <= position < len(whole):
            raise _NoValueError
        return whole[position]

    def _number(self, node: ast.expr, cell: Mapping[str, Any]) -> Any:
        value = self._value(node, cell)
        if kind_of(value) != "number":
            raise BadInput(
                f"`{self._key}` must compute with numbers; got {ast.unparse(node)}, "
                f"which is {value!r}."
            )
        return value

    @staticmethod
    def _computed(sign: ast.operator, left: Any, right: Any) -> Any:
        try:
            return ARITHMETIC[type(sign)](left, right)
        except ValueError as error:  # a fractional power of a negative number
            raise _NoValueError from error

    def _truth(self, node: ast.expr, cell: Mapping[str, Any]) -> bool:
        value = self._value(node, cell)
        if not isinstance(value, bool):
            raise BadInput(
                f"`{self._key}` must join conditions with and, or, not; got {ast.unparse(node)}, "
                f"which is {value!r}."
            )
        return value

    def _compared(self, node: ast.Compare, cell: Mapping[str, Any]) -> Iterator[bool]:
        """Yield each link of a chain `a < b < c`; like Python, no later than it is needed."""
        left = self._value(node.left, cell)
        for sign, term in zip(node.ops, node.comparators, strict=True):
            right = self._value(term, cell)
            self._check_alike(node, sign, left, right)
            yield bool(COMPARISON[type(sign)](left, right))
            left = right

    def _check_alike(self, node: ast.Compare, sign: ast.cmpop, left: Any, right: Any) -> None:
        """Refuse to compare unlike things, which Python would call unequal in silence.

        Where an axis itself holds unlike values, as `batch_size=full,10`, asking whether one
        of them equals a text or a number is fair.
        """
        if isinstance(sign, ast.In | ast.NotIn):
            if not isinstance(right, list):
                raise BadInput(
                    f"`{self._key}` must have a list after in; got {right!r} in "
                    f"{ast.unparse(node)}. Write (a, b)."
                )
            return
        kinds = {kind_of(left), kind_of(right)}
        if isinstance(sign, ast.Eq | ast.NotEq):
            if len(kinds) == 1 or "null" in kinds or self._mixed(node):
                return
        elif kinds in ({"number"}, {"text"}):
            return
        raise BadInput(
            f"`{self._key}` must compare numbers with numbers and texts with texts; "
            f"got {left!r} and {right!r} in {ast.unparse(node)}."
        )

    def _mixed(self, node: ast.Compare) -> bool:
        names = (name_of(term) for term in itertools.chain([node.left], node.comparators))
        return any(len(self._kinds.get(name or "", ())) > 1 for name in names)


class _NoValueError(Exception):
    """An expression has no value at a cell."""
