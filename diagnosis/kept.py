"""An iterator that several may walk over, one after the other, and that is run once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What an iterator yields, made once, as far as somebody asks."""

    def __init__(self, more: Iterator[T]) -> None:
        self.made: list[T] = []
        self._more = more

    def __iter__(self) -> Iterator[T]:
        yield from self.made
        for item in self._more:
            self.made.append(item)
            yield item
