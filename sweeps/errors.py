"""Bad input as an exception that carries a sentence a person can act on."""

from __future__ import annotations

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
    """Return the option most like `word`, or None where nothing is close."""
    from bpcore import tables  # NumPy comes with it, so not before something is wrong

    return tables.nearest(word, options)


def one_of(key: str, value: object, options: Iterable[str]) -> str:
    """Phrase the error for a value outside a closed list, with the nearest option offered."""
    from bpcore import tables

    return tables.one_of(key, value, options)
