"""Read-only tables of named things, and the one error for a name that is not in them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def lookup(table: Mapping[str, T], what: str, name: str) -> T:
    """Return `table[name]`.

    Raises:
        ValueError: the name is unknown; the message lists all names and offers the nearest.
    """
    try:
        return table[name]
    except (KeyError, TypeError):
        close = difflib.get_close_matches(str(name), list(table), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        msg = f"`{what}` must be one of {', '.join(table)}; got {name}.{hint}"
        raise ValueError(msg) from None
