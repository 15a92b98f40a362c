"""How far a sweep is: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

LINE_SECONDS = 10.0


def duration(seconds: float) -> str:
    """Say a duration in two units at most: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


class Lines:
    """Progress for logs: a line at most every ten seconds."""

    def __init__(self, runs: int, work: float) -> None:
        self.runs, self.work = runs, work
        self.done, self.worked, self.diverged = 0, 0.0, 0
        self.began = self.printed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say how long it took, if it took long enough for anyone to wonder."""
        seconds = time.monotonic() - self.began
        if kind is None and self.printed > self.began:
            self._say(f"{self.done} runs trained in {duration(seconds)}")

    def advance(self, runs: int, work: float, diverged: int) -> None:
        """Count what has just been trained, and show it."""
        self.done += runs
        self.worked += work
        self.diverged += diverged
        self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if now - self.printed >= LINE_SECONDS:
            self.printed = now
            self._say(self.summary(now - self.began))

    def summary(self, seconds: float) -> str:
        """Say runs done, runs a second, time left, runs diverged."""
        left = seconds * (self.work - self.worked) / max(self.worked, 1e-9)
        return (
            f"{self.done} of {self.runs} runs, {self.done / max(seconds, 1e-9):.0f} runs/s, "
            f"{duration(left)} left, {self.diverged} diverged"
        )

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Bar(Lines):
    """Progress for a terminal."""

    def __init__(self, runs: int, work: float) -> None:
        super().__init__(runs, work)
        # Imported here: a log has no use for it.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=30),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task(f"0 of {runs} runs", total=work)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away; the table that follows says what there is to say."""
        self.bar.stop()

    def _show(self) -> None:
        text = self.summary(time.monotonic() - self.began)
        self.bar.update(self.task, completed=self.worked, description=text)


def progress(runs: int, work: float) -> Lines:
    """Return what suits standard error."""
    return Bar(runs, work) if sys.stderr.isatty() else Lines(runs, work)
