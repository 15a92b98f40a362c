"""Files that hold a table: .csv, .parquet and .npz.

pandas is slow to import, so it is imported only where it is asked for.
"""

from __future__ import annotations

import contextlib
import csv
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweeps.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd


def read_frame(file: Path) -> tuple[pd.DataFrame, str | None]:
    """Read any of the formats; with `X` and `y` the name of the target comes along.

    Raises:
        BadInput: there is no such file, or it is none of the formats.
    """
    if not file.is_file():
        raise BadInput(
            f"`data.path` must name a file that exists; got {file}, looked for in {Path.cwd()}."
            " Check its spelling or give the whole path."
        )
    if file.suffix.lower() not in FORMATS:
        raise BadInput(
            f"`data.path` must be a {', '.join(FORMATS)} file; got {file}."
            " Save the table in one of these formats."
        )
    try:
        frame, usual_target = FORMATS[file.suffix.lower()](file)
    except BadInput:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        raise BadInput(
            f"`data.path` must be a whole {file.suffix} file; got {file}, which cannot be read as"
            f" one ({type(problem).__name__}). Save it again."
        ) from problem
    frame.columns = frame.columns.map(str)
    return frame, usual_target


def _csv(file: Path) -> tuple[pd.DataFrame, None]:
    import pandas as pd

    # Until pandas 3.1 the usual parser of floats is off by a last bit now and then; from there on
    # it is exact, and asking for exactness is deprecated.
    exact = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
    with file.open(encoding="utf-8", errors="replace") as lines:
        header = lines.readline()
    if ";" in header and "," not in header:
        raise BadInput(
            f"`data.path` must be a table with commas between its columns; got {file}, which has "
            "semicolons. Save it with commas, and points in its numbers."
        )
    frame = pd.read_csv(file, float_precision=None if exact else "round_trip", low_memory=False)
    nameless = any(str(name).startswith("Unnamed: ") for name in frame)
    # Where rows are longer than the header, pandas takes the first column for an index.
    if nameless or not frame.index.equals(pd.RangeIndex(len(frame))):
        raise BadInput(
            f"`data.path` must be a table with a name over every column; got {file}, where one is"
            " missing. Write it without row numbers (in pandas, index=False) or name the column."
        )
    return frame, None


def _parquet(file: Path) -> tuple[pd.DataFrame, None]:
    import pandas as pd

    return pd.read_parquet(file).reset_index(drop=True), None


def _npz(file: Path) -> tuple[pd.DataFrame, str | None]:
    import pandas as pd

    if not zipfile.is_zipfile(file):  # np.load would take a lone .npy for good
        raise zipfile.BadZipFile(str(file))
    arrays: dict[str, NDArray[Any]] = {}
    with np.load(file, allow_pickle=False) as archive:
        for name in archive.files:
            try:
                arrays[name] = np.asarray(archive[name])  # other files in the archive come as bytes
            except ValueError as problem:
                raise BadInput(
                    "`data.path` must hold arrays of numbers, booleans or text; got Python objects"
                    f" in {name} of {file}. Save it as such an array."
                ) from problem
    usual_target = None
    found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    if arrays.keys() == {"X", "y"} and arrays["X"].ndim == 2:
        columns = {f"x{j + 1}": column for j, column in enumerate(arrays["X"].T)}
        arrays, usual_target = columns | {"y": arrays["y"]}, "y"
    shapes = {array.shape for array in arrays.values()}
    if [len(shape) for shape in shapes] != [1]:
        raise BadInput(
            "`data.path` must hold 1-D arrays of one length, or a 2-D X with samples as rows and a"
            f" 1-D y; got {found or 'no arrays'} in {file}. Save them in one of these ways."
        )
    return pd.DataFrame(arrays), usual_target


FORMATS: Mapping[str, Callable[[Path], tuple[pd.DataFrame, str | None]]] = MappingProxyType(
    {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
)


def place(file: Path, row: int) -> str:
    """Say where a sample of the file stands: its line in an editor, or its index in an array."""
    line = _line(file, row) if file.suffix.lower() == ".csv" else None
    return f"at index {row}" if line is None else f"on line {line}"


def _line(file: Path, row: int) -> int | None:
    """Return the line on which a row of a CSV file begins, from 1; None where it cannot be told.

    A header stands above row 0, blank lines are no rows, and a text in quotes may hold line breaks.
    """
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        reader, rows, begins = csv.reader(lines), -1, 1
        with contextlib.suppress(csv.Error):  # a text longer than the module reads
            for fields in reader:
                if fields and (len(fields) > 1 or fields[0].strip()):
                    if rows == row:
                        return begins
                    rows += 1
                begins = reader.line_num + 1
    return None
