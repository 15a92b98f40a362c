"""What a section hands to the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure that can be drawn.

    Attributes:
        name: of its files, and its anchor on the page.
        caption: a sentence or two below it.
        alt: what is to be seen, for those who do not see it.
        data: all that it shows; unchanged data are not drawn again.
        draw: draws it.
        panels: the cells under each panel, where a click on it shows them.
    """

    name: str
    caption: str
    alt: str
    data: tuple[Any, ...]
    draw: Callable[[], Figure]
    panels: list[list[list[list[int]]]] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Attributes:
        name: its template and its anchor.
        title: its heading.
        context: what its template fills in.
        pictures: its figures.
        tables: written as CSV, by name.
    """

    name: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
