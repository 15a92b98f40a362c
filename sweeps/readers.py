"""Data sets that are read: those of scikit-learn, MNIST as IDX files, and tables.

scikit-learn and pandas are slow to import, so they are imported only where they are asked for.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweeps.drawn import Array, Source
from sweeps.errors import BadInput, one_of

if TYPE_CHECKING:
    import pandas as pd

TASKS = ("auto", "classification", "regression")
MNIST_TRAINING = 60_000
PIXEL_MAX = 255.0
LARGEST = 1e150  # the square of anything larger, taken for its deviation, overflows
IMAGES_MAGIC = bytes([0, 0, 8, 3])
LABELS_MAGIC = bytes([0, 0, 8, 1])


def breast_cancer() -> Source:
    """Read scikit-learn's copy of the Wisconsin diagnostic data: 569 samples of 30 features."""
    from sklearn.datasets import load_breast_cancer

    return _bundled(load_breast_cancer())


def digits() -> Source:
    """Read scikit-learn's copy of the UCI digits: 1797 images of 8 x 8 pixels from 0 to 16."""
    from sklearn.datasets import load_digits

    return _bundled(load_digits())


def _bundled(bunch: Mapping[str, Any]) -> Source:
    classes = tuple(str(name) for name in bunch["target_names"])
    features = tuple(str(name) for name in bunch["feature_names"])
    return Source(bunch["data"], bunch["target"], classes, features)


def mnist(path: str | None = None) -> Source:
    """Read MNIST, or anything in its format, pixels in units of 255.

    Args:
        path: Directory of the IDX files, as they are or gzipped; None: fetched from OpenML. The
            t10k files, where there are any, are the test split.

    Raises:
        BadInput: Files are missing or corrupt, or OpenML cannot be reached.

    Source:
        LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
    """
    if path is None:
        return _fetched_mnist()
    directory = Path(path).expanduser()
    if not directory.is_dir():
        raise BadInput(
            f"`data.path` must be a directory of IDX files; got {path}, which is none,"
            f" in {Path.cwd()}. Check its spelling or leave it out to fetch MNIST."
        )
    X, y = _idx_pair(directory, "train")
    held_out = 0
    if any(_idx_file(directory, "t10k", kind) for kind in ("images", "labels")):
        X_test, y_test = _idx_pair(directory, "t10k")
        if X_test.shape[1:] != X.shape[1:]:
            raise BadInput(
                f"`data.path` must hold images of one size; got {_size(X)} pixels in train-images"
                f" and {_size(X_test)} in t10k-images of {path}. Put files of one data set there."
            )
        X, y, held_out = np.concatenate([X, X_test]), np.concatenate([y, y_test]), len(y_test)
    return _images(X, y, held_out)


def _fetched_mnist() -> Source:
    from sklearn.datasets import fetch_openml

    try:
        # No retries: scikit-learn announces each by a warning, and the sentence below says enough.
        bunch = fetch_openml("mnist_784", version=1, as_frame=False, parser="auto", n_retries=0)
    except (OSError, ValueError) as problem:
        raise BadInput(
            "`data.path` must be a directory of MNIST's IDX files where OpenML cannot be reached;"
            f" got null. ({type(problem).__name__} while fetching mnist_784.) Download"
            " train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz and give their directory."
        ) from problem
    X = np.asarray(bunch["data"]).astype(np.uint8).reshape(-1, 28, 28)
    # OpenML holds all samples as one set: the training files first, then t10k, in their order.
    return _images(X, np.asarray(bunch["target"]).astype(int), max(0, len(X) - MNIST_TRAINING))


def _images(X: NDArray[np.uint8], y: NDArray[Any], held_out: int) -> Source:
    present, label = np.unique(y, return_inverse=True)
    if len(present) < 2:
        raise BadInput(
            "`data.path` must hold images of at least two classes;"
            f" got {len(present)} among {len(y)} images. Put other files there."
        )
    pixels = tuple(f"pixel_{i}_{j}" for i in range(X.shape[1]) for j in range(X.shape[2]))
    names = tuple(str(k) for k in present)
    return Source(X.reshape(len(X), -1), label, names, pixels, held_out, PIXEL_MAX)


def _size(X: NDArray[np.uint8]) -> str:
    return " x ".join(str(n) for n in X.shape[1:])


def _idx_names(part: str, kind: str) -> tuple[str, str]:
    dimensions = {"images": 3, "labels": 1}[kind]
    return f"{part}-{kind}-idx{dimensions}-ubyte", f"{part}-{kind}.idx{dimensions}-ubyte"


def _idx_file(directory: Path, part: str, kind: str) -> Path | None:
    files = (directory / (n + end) for n in _idx_names(part, kind) for end in ("", ".gz"))
    return next((file for file in files if file.is_file()), None)


def _idx_pair(directory: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the `(m, rows, columns)` images and `(m,)` labels of one half of MNIST."""
    arrays = []
    for kind, magic in (("images", IMAGES_MAGIC), ("labels", LABELS_MAGIC)):
        file = _idx_file(directory, part, kind)
        if file is None:
            raise BadInput(
                f"`data.path` must be a directory with {_idx_names(part, kind)[0]} or"
                f" {_idx_names(part, kind)[0]}.gz; got {directory}, which has neither."
                " Put MNIST's files there, images and labels."
            )
        arrays.append(read_idx(file, magic))
    images, labels = arrays
    if len(images) != len(labels):
        raise BadInput(
            f"`data.path` must hold one label an image; got {len(images)} images and"
            f" {len(labels)} labels in the {part} files of {directory}. Download them again."
        )
    return images, labels


def read_idx(file: Path, magic: bytes) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not, in the shape its header names.

    Args:
        file: The file; gzip is told by its first bytes, since browsers unpack and keep the name.
        magic: First four bytes it must have; the last is the number of dimensions.

    Raises:
        BadInput: The magic number is another, or there are fewer or more bytes than it says.
    """

    def corrupt(rule: str, found: str) -> BadInput:
        return BadInput(f"`data.path` must hold {rule}; got {found} in {file}. Download it again.")

    content = file.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as problem:
            raise corrupt("whole gzip files", "a broken one") from problem
    start = 4 + 4 * magic[3]
    if content[:4] != magic:
        found = content[:4].hex(" ") or "nothing"
        raise corrupt(f"IDX files that begin with {magic.hex(' ')}", found)
    if len(content) < start:
        raise corrupt("IDX files with a whole header", f"{len(content)} bytes")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", magic[3], offset=4))
    expected = start + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise corrupt(f"IDX files of the length they say, {expected} bytes", f"{len(content)}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


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
    frame, usual_target = _frame(file)
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


def _frame(file: Path) -> tuple[pd.DataFrame, str | None]:
    """Read any of the formats; with `X` and `y` the name of the target comes along."""
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
                "`data.path` must hold a value in every row and column; got none in row"
                f" {gaps[0] + 1} of column {name} of {file}. Fill it in or drop the row."
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
            f" in row {row + 1} of column {column.name} of {file}. Encode the column as numbers or"
            " drop it."
        )
    values = column.to_numpy(dtype=np.float64)
    endless = np.flatnonzero(~(np.abs(values) < LARGEST))
    if endless.size:
        raise BadInput(
            f"`data.path` must hold finite numbers, below {LARGEST:g} in size; got"
            f" {values[endless[0]]} in row {endless[0] + 1} of column {column.name} of {file}."
            " Correct it or drop the row."
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
