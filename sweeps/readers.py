"""Data sets that are read: those of scikit-learn, and MNIST as IDX files.

scikit-learn is slow to import, so it is imported only where it is asked for.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeps.drawn import Source
from sweeps.errors import BadInput

MNIST_TRAINING = 60_000
PIXEL_MAX = 255.0
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
