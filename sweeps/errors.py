"""Bad input as an exception that carries a sentence a person can act on."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path


class BadInput(ValueError):
    """The user's input cannot be used; the message says which key, which rule, which value.

    Entry points print the message without a traceback and exit with status 2.
    """


class StoreFailed(OSError):
    """The store could not be written or read: a full disk, a lost mount, no permission."""


def unreadable(path: Path, error: OSError) -> StoreFailed:
    """Say that a file of a store could not be read."""
    why = os.strerror(error.errno) if error.errno else error
    return StoreFailed(f"{path} could not be read: {why}. Nothing was changed.")


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option most like `word`, or None where nothing is close.

    >>> nearest("1", ["000", "001", "101"])
    '001'
    """
    by_small = {option.lower(): option for option in options}
    if word.isdecimal():
        same = [each for each in by_small if each.isdecimal() and int(each) == int(word)]
        if same:
            return by_small[same[0]]
    close = difflib.get_close_matches(word.lower(), by_small, n=1, cutoff=0.6)
    return by_small[close[0]] if close else None


def one_of(key: str, value: object, options: Iterable[str]) -> str:
    """Phrase the error for a value outside a closed list, with the nearest option offered."""
    listed = list(options)
    guess = nearest(str(value), listed)
    hint = f" Did you mean {guess}?" if guess else ""
    return f"`{key}` must be one of {', '.join(listed)}; got {value}.{hint}"
