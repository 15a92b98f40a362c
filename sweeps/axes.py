"""Values and grids: what the axes of a sweep mean, before any configuration is composed.

A sweep is a product of axes, of which some may move together (`zip`), less the cells a filter
refuses (`only`). Everything here is a function of plain values; Hydra's texts are read and
written by its sweeper plugin.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.errors import BadInput
from sweeps.filters import Filter, no_axis

MOST_VALUES = 1_000_000
MOST_CELLS = 10_000_000
_SPACING = re.compile(r"log:[^:]*:")


@dataclass(frozen=True)
class Axis:
    """One varied key: its values and, beside each, the text that sets it.

    A key with a single value is an axis of length one, so a filter may name it too. Texts that
    every job carries but that are no axis have an empty name.
    """

    name: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]


def canonical(value: Any) -> Any:
    """Round floats to 12 significant digits, in lists and mappings too.

    `range(0.1,0.4,0.1)` yields 0.30000000000000004, which would be another run than 0.3.
    Negative zero becomes zero for the same reason.

    >>> canonical([0.1 + 0.2, -0.0, 3, "0.30000000000000004"])
    [0.3, 0.0, 3, '0.30000000000000004']
    """
    if isinstance(value, float):
        return float(f"{value:.12g}") + 0.0
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    return value


def is_spacing(value: object) -> bool:
    """Tell a spacing `log:LOW:HIGH:COUNT`, even a faulty one, from texts such as `log:50`."""
    return isinstance(value, str) and _SPACING.match(value) is not None


def log_spacing(text: str, whole: bool = False) -> list[Any]:
    """Return the values of `log:LOW:HIGH:COUNT`, equally spaced in the logarithm.

    Both ends are included; a LOW above HIGH descends.

    Args:
        text: The spacing as typed.
        whole: Round to whole numbers and keep the first of equal ones, for keys that count.

    Raises:
        BadInput: The text has not four parts, a bound is not a finite number above 0, or the
            count is not a whole number from 2 to a million.

    >>> log_spacing("log:1e-3:10:5")
    [0.001, 0.01, 0.1, 1.0, 10.0]
    >>> log_spacing("log:1:8:7", whole=True)
    [1, 2, 3, 4, 6, 8]
    """
    parts = text.split(":")
    if len(parts) != 4:
        raise BadInput(
            f"`{text}` must be log:LOW:HIGH:COUNT; got {len(parts) - 1} parts after log. "
            "For example log:1e-3:10:40."
        )
    low, high = (_bound(part, text) for part in parts[1:3])
    count = _count(parts[3], text)
    # Interpolated in log10, where powers of ten are exact; HIGH/LOW could overflow.
    start, stop = math.log10(low), math.log10(high)
    inner = [10.0 ** (start + (stop - start) * i / (count - 1)) for i in range(1, count - 1)]
    values = [low, *inner, high]
    if whole:
        return list(dict.fromkeys(round(value) for value in values))
    return [canonical(value) for value in values]


def _bound(part: str, text: str) -> float:
    try:
        bound = float(part)
    except ValueError:
        bound = math.nan
    if not 0 < bound < math.inf:
        raise BadInput(f"`{text}` must have finite bounds above 0; got {part or 'nothing'}.")
    return bound


def _count(part: str, text: str) -> int:
    count = int(part) if re.fullmatch(r"[0-9]{1,9}", part) else 0
    if not 2 <= count <= MOST_VALUES:
        raise BadInput(
            f"`{text}` must have a whole number from 2 to {MOST_VALUES} as its count; "
            f"got {part or 'nothing'}."
        )
    return count


def grid(
    axes: Sequence[Axis], zipped: Any = None, only: str | None = None
) -> list[tuple[str, ...]]:
    """Return the cells of a sweep, each as its axes' texts, the last axis moving fastest.

    Equal cells appear once, at their first place. Zipped axes move at the place of the first
    of them; the texts of a cell keep the order of `axes` all the same.

    Args:
        axes: The axes, none of them empty.
        zipped: Names of axes that move together, `["a", "b"]` or `[["a", "b"], ["c", "d"]]`.
        only: An expression over axis names; cells for which it is false are left out.

    Raises:
        BadInput: The groups or the filter do not fit the axes, or no cell is left.
    """
    blocks = _blocks(axes, _groups(zipped, axes))
    total = math.prod(len(block.steps) for block in blocks)
    if total > MOST_CELLS:
        raise BadInput(f"A sweep must have at most {MOST_CELLS} cells; got {total}.")
    members = [index for block in blocks for index in block.members]
    places = [members.index(index) for index in range(len(axes))]
    cells = []
    for steps in itertools.product(*(block.steps for block in blocks)):
        flat = [step for part in steps for step in part]
        cells.append([flat[place] for place in places])
    if only is not None and only.strip():
        cells = _kept(cells, axes, only.strip())
    return [
        tuple(axis.texts[step] for axis, step in zip(axes, cell, strict=True)) for cell in cells
    ]


@dataclass(frozen=True)
class _Block:
    """Axes that move together, and the positions they take at each step."""

    members: tuple[int, ...]
    steps: list[tuple[int, ...]]


def _groups(zipped: Any, axes: Sequence[Axis]) -> list[list[str]]:
    """Bring both forms of `zip` into one and check that its names are axes, each named once."""
    if not zipped:
        return []
    shape = "`zip` must be a list of axes, [a,b], or a list of such lists, [[a,b],[c,d]]"
    if not isinstance(zipped, list):
        raise BadInput(f"{shape}; got {zipped}.")
    groups = zipped if all(isinstance(item, list) for item in zipped) else [zipped]
    if not all(isinstance(name, str) for group in groups for name in group):
        raise BadInput(f"{shape}; got {_listed(zipped)}.")
    names = [axis.name for axis in axes if axis.name]
    seen: set[str] = set()
    for group in groups:
        if len(group) < 2:
            raise BadInput(f"`zip` must join at least two axes; got {_listed(group)}.")
        for name in group:
            if name not in names:
                raise BadInput(no_axis("zip", name, names))
            if name in seen:
                raise BadInput(f"`zip` must name each axis once; got {name} twice.")
            seen.add(name)
    return groups


def _blocks(axes: Sequence[Axis], groups: list[list[str]]) -> list[_Block]:
    """Put each group of axes, at the place of its first, and each other axis into one block."""
    index = {axis.name: place for place, axis in enumerate(axes)}
    joined = {index[name]: [index[n] for n in group] for group in groups for name in group}
    blocks: dict[int, _Block] = {}
    for place in range(len(axes)):
        members = joined.get(place, [place])
        if not any(member in blocks for member in members):
            blocks[place] = _block(axes, members)
    return list(blocks.values())


def _block(axes: Sequence[Axis], members: list[int]) -> _Block:
    chosen = [axes[member] for member in members]
    if len({len(axis.texts) for axis in chosen}) > 1:
        counts = ", ".join(f"{len(axis.texts)} of {axis.name}" for axis in chosen)
        raise BadInput(f"`zip` must join axes with equally many values; got {counts}.")
    distinct: dict[tuple[str, ...], tuple[int, ...]] = {}
    for step in range(len(chosen[0].texts)):
        distinct.setdefault(tuple(axis.texts[step] for axis in chosen), (step,) * len(chosen))
    return _Block(tuple(members), list(distinct.values()))


def _listed(value: object) -> str:
    """Write a list as it is typed on the command line."""
    if isinstance(value, list):
        return "[" + ",".join(map(_listed, value)) + "]"
    return str(value)


def _kept(cells: list[list[int]], axes: Sequence[Axis], only: str) -> list[list[int]]:
    condition = Filter(only, {axis.name: axis.values for axis in axes if axis.name})
    named = [(place, axis) for place, axis in enumerate(axes) if axis.name in condition.names]
    kept = [
        cell
        for cell in cells
        if condition.holds({axis.name: axis.values[cell[place]] for place, axis in named})
    ]
    if not kept:
        raise BadInput(
            f"`only` must hold for at least one cell; got {only}, "
            f"which holds for none of {len(cells)}."
        )
    return kept
