"""The reader's own table as a data set: one of its columns is the target, the others features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweeps.drawn import Array, Source
from sweeps.errors import BadInput, one_of
from sweeps.table_files import place, read_frame

if TYPE_CHECKING:
    import pandas as pd

TASKS = ("auto", "classification", "regression")
LARGEST = 1e150  # the square of anything larger, taken for its deviation, overflows


def table(path: str | None = None, target: str | None = None, task: str = "auto") -> Source:
    """Read a table whose columns are features but for one, the target.

    Args:
        path: A .csv or .parquet file, or an .npz of equally long 1-D arrays, or of a 2-D `X` with
            samples as rows and a 1-D `y`.
        target: Name of the target column; null means `y` where there are `X` and `y`.
        task: auto takes text, categories, booleans, and numbers that are all 0 or 1 for classes,
            any other numbers for a quantity to predict.

    Raises:
        BadInput: The file, the target or a value cannot be used; the message says where it stands.
    """
    if path is None:
        raise BadInput(
            "`data.path` must be a .csv, .parquet or .npz file for data=table; got null."
            " Give it as data.path=FILE."
        )
    if task not in TASKS:
        raise BadInput(one_of("data.task", task, TASKS))
    file = Path(path).expanduser()
    frame, usual_target = read_frame(file)
    target = target or usual_target
    _check_frame(frame, file, target)
    features = frame.drop(columns=target)
    X = np.empty(features.shape)
    for j, name in enumerate(features):
        X[:, j] = _numbers(features[name], file)
    column = frame[target]
    as_classes = task == "classification" or (task == "auto" and _means_classes(column))
    y, classes = _classes(column) if as_classes else _quantity(column, file)
    if np.ptp(y) == 0:
        raise BadInput(
            f"`data.target` must be a column of more than one value; got {target}, which is"
            f" {column.iloc[0]} in every row of {file}. Choose another column."
        )
    return Source(X, y, classes, tuple(str(name) for name in features))


def _check_frame(frame: pd.DataFrame, file: Path, target: str | None) -> None:
    """Refuse a table without the target, without features or samples, or with gaps."""
    columns = [str(name) for name in frame]
    if target is None:
        raise BadInput(
            f"`data.target` must be one of {', '.join(columns)}; got null."
            " Give it as data.target=NAME."
        )
    if target not in columns:
        raise BadInput(one_of("data.target", target, columns))
    if len(columns) < 2:
        raise BadInput(
            f"`data.path` must have a column beside the target; got only {target} in {file}."
            " Add columns to predict it from."
        )
    if frame.empty:
        raise BadInput(
            f"`data.path` must hold at least one sample; got no rows in {file}. Add some."
        )
    for name in columns:
        gaps = np.flatnonzero(frame[name].isna().to_numpy())
        if gaps.size:
            raise BadInput(
                "`data.path` must hold a value in every row and column; got none in column"
                f" {name} {place(file, int(gaps[0]))} of {file}. Fill it in or drop the row."
            )


def _is_number(column: pd.Series[Any]) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(column) and not types.is_complex_dtype(column)


def _numbers(column: pd.Series[Any], file: Path) -> Array:
    """Return a column as finite floats, booleans as 0 and 1."""
    import pandas as pd

    if not _is_number(column):
        text = np.flatnonzero(pd.to_numeric(column.astype(str), errors="coerce").isna())
        row = int(text[0]) if text.size else 0
        raise BadInput(
            f"`data.path` must hold numbers in every column but the target; got {column.iloc[row]}"
            f" in column {column.name} {place(file, row)} of {file}. Encode the column as numbers"
            " or drop it."
        )
    values = column.to_numpy(dtype=np.float64)
    endless = np.flatnonzero(~(np.abs(values) < LARGEST))
    if endless.size:
        raise BadInput(
            f"`data.path` must hold finite numbers, below {LARGEST:g} in size; got"
            f" {values[endless[0]]} in column {column.name} {place(file, int(endless[0]))} of"
            f" {file}. Correct it or drop the row."
        )
    return values


def _means_classes(column: pd.Series[Any]) -> bool:
    return not _is_number(column) or bool(column.isin([0, 1]).all())


def _quantity(column: pd.Series[Any], file: Path) -> tuple[Array, tuple[()]]:
    if not _is_number(column):
        raise BadInput(
            f"`data.task` must be auto or classification where the target is no number; got"
            f" regression with {column.name} of {file}. Change it or choose another target."
        )
    return _numbers(column, file), ()


def _classes(column: pd.Series[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Number the values of a column: categories in their own order, others sorted."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat.remove_unused_categories().cat
        return used.codes.to_numpy(dtype=np.intp), tuple(str(c) for c in used.categories)
    if not _is_number(column) or pd.api.types.is_bool_dtype(column):
        present, label = np.unique(column.astype(str).to_numpy(dtype=str), return_inverse=True)
        return label, tuple(present.tolist())
    numbers, label = np.unique(column.to_numpy(dtype=np.float64), return_inverse=True)
    return label, tuple(f"{value:.17g}" for value in numbers)
