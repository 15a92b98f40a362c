"""Programs whose reader may leave before they end: `python report.py --list | head -1`."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


def outlive_readers() -> None:
    """Let this program go on when nobody reads its output any more.

    What it does besides printing is done, and its exit status is its own. To be called by an entry
    point before anything is printed; rich would end a program at the first line nobody reads, and
    Python itself prints a traceback when it closes standard output.
    """
    sys.stdout, sys.stderr = _outliving(sys.stdout), _outliving(sys.stderr)


class _Outliving(io.FileIO):
    """A file that drops what is written to it once its reader has left."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def _outliving(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # none, or somebody's own
        return stream
    raw = _Outliving(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
