"""Arrow arrays and Parquet files without pandas.

`pyarrow.array` and `pyarrow.parquet.read_table` import pandas, the first to ask whether it was
handed a Series: half a second for every start of a program that has no use for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sweeps.errors import BadInput, unreadable


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file, or some of its columns.

    Raises:
        BadInput: it is no whole Parquet file.
        StoreFailed: it cannot be read at all.
    """
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=None if columns is None else list(columns))
    except pa.ArrowInvalid as error:
        raise BadInput(
            f"{path} must be a whole Parquet file; got one that cannot be read: {error} "
            "Delete it and give the command again: what was in it is trained anew."
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def column(values: Sequence[Any] | NDArray[Any], type_: pa.DataType) -> pa.Array:
    """Return an Arrow array; None is null.

    Args:
        values: numbers, texts, booleans or lists of them.
        type_: the type it is to have.
    """
    if isinstance(values, np.ndarray):
        return numbers(values, type_)
    missing = np.fromiter((value is None for value in values), bool, len(values))
    if pa.types.is_list(type_):
        return _lists(values, type_, missing)
    if pa.types.is_string(type_):
        return _texts(values, type_, missing)
    if pa.types.is_boolean(type_):
        flags = np.array([bool(value) for value in values], bool)
        bits = np.packbits(flags, bitorder="little")
        return _array(type_, len(values), missing, pa.py_buffer(bits))
    filled = [0 if value is None else value for value in values]
    return numbers(np.array(filled), type_, missing)


def numbers(
    values: NDArray[Any], type_: pa.DataType, missing: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Return an array of numbers, null where `missing`."""
    plain = np.ascontiguousarray(values, type_.to_pandas_dtype())
    return _array(type_, len(plain), missing, pa.py_buffer(plain))


def _array(
    type_: pa.DataType, n: int, missing: NDArray[np.bool_] | None, *data: pa.Buffer
) -> pa.Array:
    valid = None
    if missing is not None and missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(type_, n, [valid, *data])


def _texts(values: Sequence[Any], type_: pa.DataType, missing: NDArray[np.bool_]) -> pa.Array:
    encoded = [b"" if value is None else str(value).encode() for value in values]
    return _array(type_, len(encoded), missing, _offsets(encoded), pa.py_buffer(b"".join(encoded)))


def _lists(values: Sequence[Any], type_: pa.DataType, missing: NDArray[np.bool_]) -> pa.Array:
    lists = [[] if value is None else value for value in values]
    items = column([item for each in lists for item in each], type_.value_type)
    valid = None
    if missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(type_, len(lists), [valid, _offsets(lists)], children=[items])


def _offsets(values: Sequence[Any]) -> pa.Buffer:
    lengths = np.fromiter(map(len, values), np.int32, len(values))
    return pa.py_buffer(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
