"""Read-only tables of named things, and the one error for a name that is not in them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option most like `word`, or None where nothing is close.

    >>> nearest("ReLu", ["relu", "elu"]), nearest("1", ["000", "001", "101"])
    ('relu', '001')
    """
    by_small = {option.lower(): option for option in options}
    if word.isdecimal():
        same = [each for each in by_small if each.isdecimal() and int(each) == int(word)]
        if same:
            return by_small[same[0]]
    close = difflib.get_close_matches(word.lower(), by_small, n=1, cutoff=0.6)
    return by_small[close[0]] if close else None


def one_of(what: str, value: object, options: Iterable[str]) -> str:
    """Phrase the error for a value outside a closed list, with the nearest option offered."""
    listed = list(options)
    guess = nearest(str(value), listed)
    hint = f" Did you mean {guess}?" if guess else ""
    return f"`{what}` must be one of {', '.join(listed)}; got {value}.{hint}"


def lookup(table: Mapping[str, T], what: str, name: str) -> T:
    """Return `table[name]`.

    Raises:
        ValueError: the name is unknown; the message lists all names and offers the nearest.
    """
    try:
        return table[name]
    except (KeyError, TypeError):
        raise ValueError(one_of(what, name, table)) from None
