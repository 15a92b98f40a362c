"""Python text of a subject, from a module or a notebook."""

from __future__ import annotations

import json
from pathlib import Path

from diagnosis.errors import SubjectFailed

LARGEST = 20 << 20


def source_of(path: Path) -> str:
    """Return a subject's Python text.

    Raises:
        SubjectFailed: there is no such file, or it is not text.
    """
    try:
        if path.stat().st_size > LARGEST:
            msg = f"`subject` must be a Python file; got {path} of {path.stat().st_size >> 20} MB."
            raise SubjectFailed(msg)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"`subject` must be a file that can be read; got {path}: {error.strerror}."
        raise SubjectFailed(msg) from error
    except UnicodeDecodeError as error:
        msg = f"`subject` must be a Python file; got {path}, which is not text."
        raise SubjectFailed(msg) from error
    return _cells(text, path) if path.suffix == ".ipynb" else text


def _cells(text: str, path: Path) -> str:
    """Join a notebook's code cells, without lines for IPython or the shell."""
    try:
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        msg = f"`subject` must be a notebook of format 4; got {path}, which has no cells."
        raise SubjectFailed(msg) from error
    return "\n\n".join(_plain(source) for source in sources if not source.startswith("%%"))


def _plain(source: str) -> str:
    # A line of a command keeps its place, so that line numbers within the cell hold.
    lines = source.splitlines()
    return "\n".join(
        f"{line[: len(line) - len(line.lstrip())]}pass"
        if line.lstrip().startswith(("%", "!"))
        else line
        for line in lines
    )
