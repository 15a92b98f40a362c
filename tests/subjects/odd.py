"""Programs unlike the written ones: odd losses, states, types, and right ones that look wrong.

They stand in `odd/`, with what is true of them in their first two lines.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Odd:
    """A program, its kind, and its mistakes."""

    text: str
    kind: str
    words: frozenset


def _read(path):
    text = path.read_text(encoding="utf-8")
    kind, words = (line.partition(":")[2].split() for line in text.splitlines()[:2])
    return Odd(text, kind[0], frozenset(words))


SUBJECTS = {path.stem: _read(path) for path in sorted((Path(__file__).parent / "odd").glob("*.py"))}
