import gzip
import hashlib
import os
import random
import struct
import urllib.error
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from omegaconf import OmegaConf

from sweeps import datasets, drawn, readers, table_files
from sweeps.config import DataConfig
from sweeps.datasets import DATASETS, prepare, raw_classes
from sweeps.errors import BadInput
from sweeps.prepared import ARRAYS, load, save

CONF = Path(__file__).parents[1] / "conf" / "data"
OFFLINE = {
    "xor": {"samples": 40},
    "moons": {},
    "circles": {},
    "spirals": {},
    "flower": {},
    "blobs": {"classes": 4},
    "breast_cancer": {},
    "digits": {},
}
BOTH_WAYS = [
    pytest.param({"name": name, "test_fraction": 0.25} | keys, id=name)
    for name, keys in OFFLINE.items()
]
EPSILON = np.finfo(np.float64).eps

FRAME = pd.DataFrame(
    {
        "width": [0.1, 0.30000000000000004, -2.5e-7, 1e22],
        "count": [3, -1, 7, 0],
        "flag": [True, False, True, True],
        "label": ["stone", "ash", "stone", "elm"],
    }
)


def rng(seed=0):
    return np.random.default_rng(seed)


def same_arrays(one, other):
    return all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes()
        and getattr(one, name).shape == getattr(other, name).shape
        for name in ARRAYS
    )


def refusal(**keys):
    with pytest.raises(BadInput) as caught:
        prepare(keys, one_hot=False)
    return str(caught.value)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table(here):
    """Write the lines of my.csv and return the keys that read it."""

    def write(text, **keys):
        (here / "my.csv").write_text(text)
        return {"name": "table", "path": "my.csv", "target": "label"} | keys

    return write


# The contract of every data set


def test_every_data_set_has_one_file_in_conf_and_the_other_way_round():
    assert {file.stem for file in CONF.glob("*.yaml")} == set(DATASETS)


@pytest.mark.parametrize("name", DATASETS)
def test_conf_file_opens_with_a_comment_and_fits_the_schema(name):
    file = CONF / f"{name}.yaml"
    composed = OmegaConf.merge(OmegaConf.structured(DataConfig), OmegaConf.load(file))
    assert file.read_text().startswith("# ")
    assert composed.name == name
    if name in OFFLINE:
        assert raw_classes(composed) >= 2


def test_the_table_is_read_only():
    with pytest.raises(TypeError):
        DATASETS["mine"] = DATASETS["xor"]


@pytest.mark.parametrize("keys", BOTH_WAYS)
def test_arrays_are_float64_contiguous_read_only_and_of_matching_shapes(keys):
    prepared = prepare(keys, one_hot=True)
    n_classes = raw_classes(keys)
    assert prepared.name == keys["name"]
    assert prepared.X.shape[0] == prepared.X_test.shape[0] == len(prepared.features)
    assert prepared.Y.shape[0] == prepared.Y_test.shape[0] == n_classes == len(prepared.classes)
    assert prepared.X.shape[1] == prepared.Y.shape[1]
    assert prepared.X_test.shape[1] == prepared.Y_test.shape[1] > 0
    for name in ARRAYS:
        array = getattr(prepared, name)
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        assert not array.flags.writeable
        assert np.isfinite(array).all()


@pytest.mark.parametrize("keys", BOTH_WAYS)
def test_every_class_is_there_to_train_on_in_both_encodings(keys):
    hot = prepare(keys, one_hot=True)
    assert hot.classification
    assert np.array_equal(hot.Y.sum(axis=0), np.ones(hot.Y.shape[1]))
    assert (hot.Y.sum(axis=1) > 0).all()
    row = prepare(keys, one_hot=False)
    if raw_classes(keys) == 2:
        assert np.array_equal(row.Y, hot.Y[1:])
        assert np.array_equal(row.Y_test, hot.Y_test[1:])
    else:
        assert same_arrays(row, hot)


@pytest.mark.parametrize("keys", BOTH_WAYS)
def test_digest_repeats_and_changes_with_the_data_seed(keys):
    first = prepare(keys, one_hot=True).digest
    datasets._prepared.cache_clear()
    datasets._source.cache_clear()
    assert prepare(DataConfig(**keys), one_hot=True).digest == first
    assert prepare(keys | {"seed": 1}, one_hot=True).digest != first
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")


@pytest.mark.parametrize("keys", BOTH_WAYS)
def test_training_features_are_standardized_and_test_features_with_the_same_numbers(keys):
    scaled = prepare(keys, one_hot=True)
    plain = prepare(keys | {"standardize": False}, one_hot=True)
    mean = plain.X.mean(axis=1, keepdims=True)
    std = plain.X.std(axis=1, keepdims=True)
    std[np.ptp(plain.X, axis=1) == 0] = 1.0
    assert np.abs(scaled.X.mean(axis=1)).max() < 1e-12
    varying = np.ptp(plain.X, axis=1) > 0
    assert np.abs(scaled.X[varying].std(axis=1) - 1).max() < 1e-12
    assert np.abs(scaled.X_test - (plain.X_test - mean) / std).max() < 1e-12


@pytest.mark.parametrize("keys", BOTH_WAYS)
def test_split_parts_the_samples_without_loss_or_repetition(keys):
    split = prepare(keys | {"standardize": False}, one_hot=True)
    whole = prepare(keys | {"standardize": False, "test_fraction": 0.0}, one_hot=True)
    stacked = np.concatenate(
        [np.vstack([split.X, split.Y]), np.vstack([split.X_test, split.Y_test])], axis=1
    )
    expected = np.vstack([whole.X, whole.Y])
    assert whole.X_test.shape == (whole.X.shape[0], 0)
    assert whole.Y_test.shape == (whole.Y.shape[0], 0)
    assert split.X_test.shape[1] == round(whole.X.shape[1] / 4)
    assert np.array_equal(stacked[:, np.lexsort(stacked)], expected[:, np.lexsort(expected)])


def test_neither_drawing_nor_splitting_touches_the_global_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - it is the global one that is watched
    prepare({"name": "moons", "seed": 77, "test_fraction": 0.5}, one_hot=False)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_same_configuration_gives_the_same_object_from_the_cache():
    assert prepare({"name": "moons"}, False) is prepare(DataConfig(name="moons"), False)


# Drawn sets against their closed forms


def test_xor_is_the_four_points_in_binary_order():
    xor = prepare({"name": "xor", "standardize": False}, one_hot=False)
    assert xor.X.tolist() == [[0, 0, 1, 1], [0, 1, 0, 1]]
    assert xor.Y.tolist() == [[0, 1, 1, 0]]


def test_standardized_xor_is_the_four_corners_of_plus_and_minus_one():
    assert prepare({"name": "xor"}, False).X.tolist() == [[-1, -1, 1, 1], [-1, 1, -1, 1]]


def test_cloudy_xor_deals_its_points_to_the_corners_in_turn():
    cloud = drawn.xor(rng(), samples=10, noise=0.0)
    assert cloud.X.tolist() == [*[[0, 0], [0, 1], [1, 0], [1, 1]] * 2, [0, 0], [0, 1]]
    assert cloud.y.tolist() == [0, 1, 1, 0, 0, 1, 1, 0, 0, 1]


def test_xor_noise_has_the_deviation_asked_for():
    cloud = drawn.xor(rng(), samples=40_000, noise=0.3)
    residual = cloud.X - drawn.xor(rng(), samples=40_000, noise=0.0).X
    # The deviation of 80,000 normal draws has a relative error of 1 / sqrt(160,000); five of them.
    assert residual.std() == pytest.approx(0.3, rel=5 / 400)


@pytest.mark.parametrize("samples", [2, 7, 200])
def test_noiseless_moons_are_those_of_sklearn(samples):
    X, y = sklearn.datasets.make_moons(samples, shuffle=False)
    moons = drawn.moons(rng(), samples, noise=0.0)
    assert np.abs(moons.X - X).max() <= 0.5 * 10.0**-drawn.DECIMALS + 4 * EPSILON
    assert np.array_equal(moons.y, y)


@pytest.mark.parametrize("samples", [2, 7, 200])
def test_noiseless_circles_are_those_of_sklearn(samples):
    X, y = sklearn.datasets.make_circles(samples, shuffle=False, factor=0.5)
    circles = drawn.circles(rng(), samples, noise=0.0)
    assert np.abs(circles.X - X).max() <= 0.5 * 10.0**-drawn.DECIMALS + 4 * EPSILON
    assert np.array_equal(circles.y, y)


def test_noiseless_spirals_are_one_arm_turned_by_equal_angles():
    spirals = drawn.spirals(rng(), samples=60, noise=0.0, classes=3)
    arms = [spirals.X[spirals.y == k] @ [1, 1j] for k in range(3)]
    radius = np.arange(1, 21) / 20
    for k, arm in enumerate(arms):
        expected = radius * np.exp(1j * (4 * radius + 2 * np.pi * k / 3))
        # Both parts are rounded to half a unit of the last decimal kept.
        assert np.abs(arm - expected).max() <= 10.0**-drawn.DECIMALS


def test_noisy_spirals_keep_their_radii():
    quiet = drawn.spirals(rng(), noise=0.0)
    noisy = drawn.spirals(rng(), noise=0.5)
    gap = np.hypot(*quiet.X.T) - np.hypot(*noisy.X.T)
    assert np.abs(gap).max() <= 2 * 10.0**-drawn.DECIMALS
    assert np.abs(quiet.X - noisy.X).max() > 0.1


def test_noiseless_flower_lies_on_the_rose_of_the_course():
    flower = drawn.flower(rng(), samples=40, noise=0.0)
    for half in range(2):
        for i in range(20):
            theta = half * 3.12 + 3.12 * i / 19
            r = 4 * np.sin(4 * theta)
            expected = [r * np.sin(theta), r * np.cos(theta)]
            assert flower.X[20 * half + i] == pytest.approx(expected, abs=1e-9)
            assert flower.y[20 * half + i] == half


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_neighboring_blobs_are_five_apart(classes):
    centers = drawn.blobs(rng(), samples=classes, noise=0.0, classes=classes).X
    steps = np.linalg.norm(centers - np.roll(centers, 1, axis=0), axis=1)
    assert steps == pytest.approx(np.full(classes, 5.0), abs=4e-9)


@pytest.mark.parametrize("samples", [7, 8, 9])
def test_left_over_samples_go_to_the_last_classes(samples):
    counts = np.bincount(drawn.blobs(rng(), samples=samples).y)
    assert counts.sum() == samples
    assert counts.max() - counts.min() <= 1
    assert sorted(counts) == counts.tolist()


def test_drawn_points_hold_no_negative_zero():
    X = drawn.circles(rng(), samples=8, noise=0.0).X
    assert (X == 0).any()
    assert not np.signbit(X[X == 0]).any()


@pytest.mark.parametrize(
    ("name", "samples", "noise"),
    [("moons", 200, 0.2), ("circles", 200, 0.1), ("spirals", 200, 0.1), ("flower", 400, 0.2)],
)
def test_null_means_the_default_that_is_documented(name, samples, noise):
    said = {"name": name, "samples": samples, "noise": noise}
    assert prepare({"name": name}, True).digest == prepare(said, True).digest


# Sets of scikit-learn


@pytest.mark.parametrize(
    ("name", "loader"),
    [
        ("digits", sklearn.datasets.load_digits),
        ("breast_cancer", sklearn.datasets.load_breast_cancer),
    ],
)
def test_bundled_sets_are_those_of_sklearn_in_their_order(name, loader):
    bunch = loader()
    prepared = prepare({"name": name, "standardize": False}, one_hot=True)
    assert np.array_equal(prepared.X, bunch.data.T)
    assert np.array_equal(prepared.Y.argmax(axis=0), bunch.target)
    assert prepared.classes == tuple(str(name) for name in bunch.target_names)
    assert prepared.features == tuple(str(name) for name in bunch.feature_names)


def test_samples_keep_the_first_of_the_shuffled():
    few = prepare({"name": "digits", "standardize": False, "samples": 100}, True)
    more = prepare({"name": "digits", "standardize": False, "samples": 150}, True)
    assert np.array_equal(more.X[:, :100], few.X)
    assert not np.array_equal(few.X, sklearn.datasets.load_digits().data.T[:, :100])


def test_constant_feature_becomes_exactly_zero(table):
    # Three times 0.1 has the mean 0.10000000000000002 in floating point.
    keys = table("a,b,label\n0.1,1,x\n0.1,2,y\n0.1,4,x\n")
    assert prepare(keys, False).X[0].tolist() == [0, 0, 0]


# MNIST's format


def idx(array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.astype(np.uint8).tobytes()


def write_mnist(directory, part="train", m=12, packed=False, dot=False, shift=0):
    images = rng(m + shift).integers(0, 256, (m, 3, 2), dtype=np.uint8)
    labels = (np.arange(m) + shift) % 3 * 4
    directory.mkdir(exist_ok=True)
    join = "." if dot else "-"
    for array, kind in ((images, "images"), (labels, "labels")):
        name = f"{part}-{kind}{join}idx{array.ndim}-ubyte" + (".gz" if packed else "")
        content = idx(array)
        (directory / name).write_bytes(gzip.compress(content) if packed else content)
    return images, labels


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dot", [False, True])
def test_idx_files_are_read_under_all_their_names(here, packed, dot):
    images, labels = write_mnist(here / "mnist", packed=packed, dot=dot)
    keys = {"name": "mnist", "path": "mnist", "standardize": False}
    prepared = prepare(keys, one_hot=False)
    assert np.array_equal(prepared.X, images.reshape(12, 6).T.astype(np.float64) / 255)
    assert np.array_equal(prepared.Y, labels == np.array([[0], [4], [8]]))
    assert prepared.classes == ("0", "4", "8")
    assert prepared.features[1:3] == ("pixel_0_1", "pixel_1_0")
    assert prepared.X_test.shape == (6, 0)


def test_t10k_files_are_the_test_split_whatever_the_fraction(here):
    write_mnist(here / "mnist")
    images, labels = write_mnist(here / "mnist", "t10k", m=5, shift=1)
    keys = {"name": "mnist", "path": "mnist", "standardize": False, "samples": 9}
    for fraction in (0.0, 0.5):
        prepared = prepare(keys | {"test_fraction": fraction}, one_hot=True)
        assert prepared.X.shape == (6, 9)
        assert np.array_equal(prepared.X_test, images.reshape(5, 6).T / 255)
        assert np.array_equal(prepared.Y_test.argmax(axis=0) * 4, labels)


def test_test_fraction_splits_mnist_without_t10k(here):
    write_mnist(here / "mnist")
    prepared = prepare({"name": "mnist", "path": "mnist", "test_fraction": 0.25}, one_hot=True)
    assert (prepared.X.shape, prepared.X_test.shape) == ((6, 9), (6, 3))


def test_mnist_from_openml_equals_mnist_from_files(here, monkeypatch):
    images = rng().integers(0, 256, (12, 28, 28), dtype=np.uint8)
    labels = np.arange(12) % 3
    for part, rows in (("train", slice(9)), ("t10k", slice(9, None))):
        (here / f"{part}-images-idx3-ubyte").write_bytes(idx(images[rows]))
        (here / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels[rows]))
    from_files = prepare({"name": "mnist", "path": "."}, one_hot=True)
    asked = {}

    def fetch(name, **options):
        asked.update(options, name=name)
        return {"data": images.reshape(12, -1).astype(float), "target": labels.astype(str)}

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    monkeypatch.setattr(readers, "MNIST_TRAINING", 9)
    datasets._source.cache_clear()
    datasets._prepared.cache_clear()
    fetched = prepare({"name": "mnist"}, one_hot=True)
    datasets._source.cache_clear()
    datasets._prepared.cache_clear()
    assert (asked["name"], asked["version"], asked["as_frame"]) == ("mnist_784", 1, False)
    assert fetched.digest == from_files.digest
    assert same_arrays(fetched, from_files)


def test_mnist_without_files_or_network_says_what_to_do(monkeypatch):
    def fetch(*names, **options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    assert refusal(name="mnist") == (
        "`data.path` must be a directory of MNIST's IDX files where OpenML cannot be reached; got"
        " null. (URLError while fetching mnist_784.) Download train-images-idx3-ubyte.gz and"
        " train-labels-idx1-ubyte.gz and give their directory."
    )


def test_missing_idx_directory_and_files_are_named(here):
    (here / "empty").mkdir()
    assert refusal(name="mnist", path="nowhere") == (
        "`data.path` must be a directory of IDX files; got nowhere, which is none, in"
        f" {here}. Check its spelling or leave it out to fetch MNIST."
    )
    assert refusal(name="mnist", path="empty") == (
        "`data.path` must be a directory with train-images-idx3-ubyte or"
        " train-images-idx3-ubyte.gz; got empty, which has neither. Put MNIST's files there,"
        " images and labels."
    )
    write_mnist(here / "empty")
    (here / "empty" / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((1, 3, 2))))
    assert refusal(name="mnist", path="empty") == (
        "`data.path` must be a directory with t10k-labels-idx1-ubyte or"
        " t10k-labels-idx1-ubyte.gz; got empty, which has neither. Put MNIST's files there,"
        " images and labels."
    )


def test_corrupt_idx_files_end_in_a_sentence(here):
    write_mnist(here / "d", m=3)
    file = here / "d" / "train-images-idx3-ubyte"
    whole = file.read_bytes()

    def said(content):
        file.write_bytes(content)
        return refusal(name="mnist", path="d")

    end = " in d/train-images-idx3-ubyte. Download it again."
    begin = "`data.path` must hold IDX files that begin with 00 00 08 03; got "
    length = "`data.path` must hold IDX files of the length they say, 34 bytes; got "
    assert said(b"<!doctype html>") == begin + "3c 21 64 6f" + end
    assert said(b"") == begin + "nothing" + end
    assert (
        said(whole[:10])
        == "`data.path` must hold IDX files with a whole header; got 10 bytes" + end
    )
    assert said(whole[:-1]) == length + "33" + end
    assert said(whole + b"\0") == length + "35" + end
    broken = "`data.path` must hold whole gzip files; got a broken one" + end
    assert said(gzip.compress(whole)[:-9]) == broken
    assert said(idx(np.zeros((2, 3, 2)))) == (
        "`data.path` must hold one label an image; got 2 images and 3 labels in the train files"
        " of d. Download them again."
    )


def test_images_of_two_sizes_are_refused(here):
    write_mnist(here / "d")
    (here / "d" / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((1, 2, 2))))
    (here / "d" / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(1)))
    assert refusal(name="mnist", path="d") == (
        "`data.path` must hold images of one size; got 3 x 2 pixels in train-images and 2 x 2 in"
        " t10k-images of d. Put files of one data set there."
    )


def test_mnist_without_samples_or_with_one_class_is_refused(here):
    refused = (
        "`data.path` must hold images of at least two classes; got {} images. Put other files"
        " there."
    )
    write_mnist(here / "d", m=0)
    assert refusal(name="mnist", path="d") == refused.format("0 among 0")
    write_mnist(here / "d", m=1)
    assert refusal(name="mnist", path="d") == refused.format("1 among 1")


# Tables


def test_csv_parquet_and_npz_give_equal_arrays(here):
    FRAME.to_csv("t.csv", index=False)
    FRAME.to_parquet("t.parquet")
    np.savez("t.npz", **{n: FRAME[n].to_numpy(str if n == "label" else None) for n in FRAME})
    keys = {"name": "table", "target": "label", "standardize": False}
    read = [prepare(keys | {"path": f"t.{end}"}, False) for end in ("csv", "parquet", "npz")]
    assert read[0].X.tolist() == [
        [0.1, 0.30000000000000004, -2.5e-7, 1e22],
        [3, -1, 7, 0],
        [1, 0, 1, 1],
    ]
    assert read[0].Y.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]]
    for prepared in read:
        assert same_arrays(prepared, read[0])
        assert prepared.digest == read[0].digest
        assert prepared.classes == ("ash", "elm", "stone")
        assert prepared.features == ("width", "count", "flag")


def test_npz_of_a_matrix_and_a_vector_needs_no_target(here):
    X = rng().standard_normal((5, 3))
    np.savez("d.npz", X=X, y=np.array([0.5, 1, 2, 3, 4]))
    prepared = prepare({"name": "table", "path": "d.npz", "standardize": False}, one_hot=True)
    assert np.array_equal(prepared.X, X.T)
    assert prepared.X.flags.c_contiguous
    assert prepared.Y.tolist() == [[0.5, 1, 2, 3, 4]]
    assert prepared.features == ("x1", "x2", "x3")
    assert not prepared.classification
    assert prepared.classes == ()
    assert raw_classes({"name": "table", "path": "d.npz"}) == 0


@pytest.mark.parametrize(
    ("column", "task", "classes", "row"),
    [
        (["b", "a", "b"], "auto", ("a", "b"), [1, 0, 1]),
        ([True, False, True], "auto", ("False", "True"), [1, 0, 1]),
        ([1, 0, 1], "auto", ("0", "1"), [1, 0, 1]),
        ([1.0, 0.0, 1.0], "auto", ("0", "1"), [1, 0, 1]),
        ([1, 2, 1], "auto", (), [1, 2, 1]),
        ([0.5, 1.0, 0.0], "auto", (), [0.5, 1, 0]),
        ([10, 9, 10], "classification", ("9", "10"), [1, 0, 1]),
        ([0.5, 1.5, 0.5], "classification", ("0.5", "1.5"), [0, 1, 0]),
        ([1, 0, 1], "regression", (), [1, 0, 1]),
        ([True, False, True], "regression", (), [1, 0, 1]),
        (pd.Categorical(["b", "a", "b"], ["c", "b", "a"]), "auto", ("b", "a"), [0, 1, 0]),
        (pd.array([1, 0, 1], dtype="Int64"), "auto", ("0", "1"), [1, 0, 1]),
        (pd.array([True, False, True], dtype="boolean"), "auto", ("False", "True"), [1, 0, 1]),
    ],
)
def test_task_follows_the_target_unless_it_is_set(here, column, task, classes, row):
    pd.DataFrame({"x": [1, 2, 3], "label": column}).to_parquet("t.parquet")
    keys = {"name": "table", "path": "t.parquet", "target": "label", "task": task}
    prepared = prepare(keys, one_hot=False)
    assert prepared.classes == classes
    assert raw_classes(keys) == len(classes)
    assert prepared.Y.tolist() == [row]


def test_edited_table_is_read_again_and_has_another_digest(table, here):
    keys = table("a,label\n1,x\n2,y\n3,x\n", standardize=False)
    before = prepare(keys, False)
    state = (here / "my.csv").stat()
    table("a,label\n1,x\n2,y\n4,x\n")
    # The same size and, on a coarse clock, maybe the same time: one nanosecond must be enough.
    os.utime("my.csv", ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    after = prepare(keys, False)
    assert after.X.tolist() == [[1, 2, 4]]
    assert after.digest != before.digest


def test_a_file_is_read_once_for_counting_classes_and_both_encodings(table, monkeypatch):
    keys = table("a,label\n1,x\n2,y\n3,x\n4,y\n5,x\n6,y\n")
    calls = []
    read_csv = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda *a, **k: calls.append(a) or read_csv(*a, **k))
    raw_classes(keys)
    prepare(keys, False)
    prepare(keys | {"seed": 3, "test_fraction": 0.2, "one_hot": True}, True)
    assert len(calls) == 1


def test_digest_depends_on_neither_path_nor_name(table, here):
    X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    np.savez("other.npz", X=X, y=[0, 1, 1, 0])
    keys = table("a,b,label\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    digests = {
        prepare(keys, False).digest,
        prepare({"name": "table", "path": str(here / "other.npz")}, False).digest,
        prepare({"name": "xor"}, False).digest,
    }
    assert len(digests) == 1


def test_digest_tells_classes_from_the_same_numbers_to_predict(table):
    keys = table("a,label\n1,0\n2,1\n3,0\n")
    classes = prepare(keys, False)
    numbers = prepare(keys | {"task": "regression"}, False)
    assert same_arrays(classes, numbers)
    assert classes.digest != numbers.digest


def test_digest_is_the_documented_hash():
    # By hand: one JSON list, then dtype, shape and bytes of each array in turn.
    content = b"[0.5, true]"
    arrays = [
        np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]),
        np.array([[0.0, 1, 1, 0]]),
        np.zeros((2, 0)),
        np.zeros((1, 0)),
    ]
    for array in arrays:
        content += f"<f8{array.shape}".encode() + array.tobytes()
    xor = prepare({"name": "xor", "standardize": False}, False)
    assert xor.digest == hashlib.sha256(content).hexdigest()[:32]


# Encoding


def test_targets_stand_at_the_numbers_asked_for():
    xor = prepare({"name": "xor", "target_low": -1.0, "target_high": 2.0}, False)
    assert xor.Y.tolist() == [[-1, 2, 2, -1]]
    assert xor.midpoint == 0.5
    hot = prepare({"name": "xor", "target_low": -1.0, "target_high": 2.0}, True)
    assert hot.Y.tolist() == [[2, -1, -1, 2], [-1, 2, 2, -1]]


def test_one_hot_key_overrides_what_the_network_needs():
    assert prepare({"name": "xor", "one_hot": True}, False).Y.shape == (2, 4)
    assert prepare({"name": "xor", "one_hot": False}, True).Y.shape == (1, 4)
    assert prepare({"name": "spirals", "one_hot": False}, False).Y.shape == (3, 200)


def test_numpy_numbers_and_path_objects_are_taken_from_python(table, here):
    keys = table("a,label\n1,x\n2,y\n3,x\n") | {"path": here / "my.csv", "seed": np.int64(2)}
    assert prepare(keys, False).classes == ("x", "y")
    drawn_keys = {"name": "moons", "samples": np.int64(6), "noise": np.float64(0.25)}
    assert prepare(drawn_keys, False).X.shape == (2, 6)


# Store


@pytest.mark.parametrize(
    "keys", [{"name": "spirals", "test_fraction": 0.1}, {"name": "breast_cancer"}]
)
def test_saved_data_come_back_equal_to_the_bit(tmp_path, keys):
    prepared = prepare(keys, True)
    file = save(prepared, tmp_path)
    loaded = load(tmp_path, prepared.digest)
    assert file == tmp_path / "data" / f"{prepared.digest}.npz"
    assert same_arrays(loaded, prepared)
    for name in ("name", "classes", "features", "midpoint", "digest"):
        assert getattr(loaded, name) == getattr(prepared, name)
        assert type(getattr(loaded, name)) is type(getattr(prepared, name))
    assert not loaded.X.flags.writeable
    assert loaded.X.flags.c_contiguous
    assert load(tmp_path, prepared.digest) is loaded


def test_regression_comes_back_as_regression(tmp_path, table):
    prepared = prepare(table("a,label\n1,5\n2,6\n3,8\n"), False)
    save(prepared, tmp_path)
    assert load(tmp_path, prepared.digest).classes == ()


def test_saving_twice_writes_once_and_leaves_nothing_else(tmp_path):
    prepared = prepare({"name": "xor"}, False)
    first = save(prepared, tmp_path).stat()
    second = save(prepared, tmp_path).stat()
    assert (first.st_mtime_ns, first.st_ino) == (second.st_mtime_ns, second.st_ino)
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_interrupted_saving_leaves_no_file(tmp_path, monkeypatch):
    def savez(stream, **content):
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(KeyboardInterrupt):
        save(prepare({"name": "xor"}, False), tmp_path)
    assert list((tmp_path / "data").iterdir()) == []


# Bad input: the whole sentence


ALL_NAMES = "xor, moons, circles, spirals, flower, blobs, breast_cancer, digits, mnist, table"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"name": "moon"},
            f"`data` must be one of {ALL_NAMES}; got moon. Did you mean moons?",
        ),
        (
            {"name": "moons", "nois": 0.1},
            "`a key of data` must be one of name, samples, noise, classes, path, target, task,"
            " one_hot, target_low, target_high, standardize, test_fraction, seed; got nois. Did"
            " you mean noise?",
        ),
        (
            {"name": "digits", "noise": 0.3},
            "`data.noise` must be left out for data=digits, where it means nothing; got 0.3. Keys"
            " that apply: samples, one_hot, target_low, target_high, standardize, test_fraction,"
            " seed.",
        ),
        (
            {"name": "moons", "target": "y"},
            "`data.target` must be left out for data=moons, where it means nothing; got y. Keys"
            " that apply: samples, noise, one_hot, target_low, target_high, standardize,"
            " test_fraction, seed.",
        ),
        (
            {"name": "mnist", "task": "regression"},
            "`data.task` must be left out for data=mnist, where it means nothing; got regression."
            " Keys that apply: samples, path, one_hot, target_low, target_high, standardize,"
            " test_fraction, seed.",
        ),
        (
            {"name": "moons", "samples": 0},
            "`data.samples` must be a whole number of at least 1; got 0. Change it or leave it"
            " out.",
        ),
        (
            {"name": "moons", "noise": -0.1},
            "`data.noise` must be a finite number of at least 0; got -0.1. Change it or leave it"
            " out.",
        ),
        (
            {"name": "moons", "noise": float("inf")},
            "`data.noise` must be a finite number of at least 0; got inf. Change it or leave it"
            " out.",
        ),
        (
            {"name": "blobs", "classes": 1},
            "`data.classes` must be a whole number of at least 2; got 1. Change it or leave it"
            " out.",
        ),
        (
            {"name": "moons", "test_fraction": 1.0},
            "`data.test_fraction` must be at least 0 and below 1; got 1.0. Change it or leave it"
            " out.",
        ),
        (
            {"name": "moons", "seed": None},
            "`data.seed` must be a whole number of at least 0; got null. Change it or leave it"
            " out.",
        ),
        (
            {"name": "moons", "seed": True},
            "`data.seed` must be a whole number of at least 0; got true. Change it or leave it"
            " out.",
        ),
        (
            {"name": "moons", "standardize": "no"},
            "`data.standardize` must be true or false; got no. Change it or leave it out.",
        ),
        (
            {"name": "table", "path": 3},
            "`data.path` must be the name of a file or directory; got 3. Change it or leave it"
            " out.",
        ),
        (
            {"name": "moons", "target_low": 1.0},
            "`data.target_low` must be below data.target_high, 1.0; got 1.0. Change one of them.",
        ),
        (
            {"name": "xor", "test_fraction": 0.1},
            "`data.test_fraction` must leave samples both to train and to test on; got 0.1 of 4."
            " Change it or take more samples.",
        ),
        (
            {"name": "xor", "test_fraction": 0.9},
            "`data.test_fraction` must leave samples both to train and to test on; got 0.9 of 4."
            " Change it or take more samples.",
        ),
        (
            {"name": "xor", "test_fraction": 0.75},
            "`data.test_fraction` must leave samples of every class to train on; got 0.75, which"
            " leaves none of class 0. Change it, or draw otherwise by data.seed.",
        ),
        (
            {"name": "moons", "samples": 1},
            "`data.samples` must leave samples of every class to train on; got 1, which leaves"
            " none of class 0. Change it, or draw otherwise by data.seed.",
        ),
        (
            {"name": "digits", "samples": 1798},
            "`data.samples` must be at most 1797, all there are to train on in digits; got 1798."
            " Lower it or leave it out.",
        ),
        (
            {"name": "table"},
            "`data.path` must be a .csv, .parquet or .npz file for data=table; got null. Give it"
            " as data.path=FILE.",
        ),
    ],
)
def test_bad_keys_are_answered_with_a_sentence(keys, message):
    assert refusal(**keys) == message


@pytest.mark.parametrize(
    ("text", "keys", "message"),
    [
        (
            "a,label\n1,x\n",
            {"path": "your.csv"},
            "`data.path` must name a file that exists; got your.csv, looked for in {here}. Check"
            " its spelling or give the whole path.",
        ),
        (
            "a,label\n1,x\n",
            {"target": None},
            "`data.target` must be one of a, label; got null. Give it as data.target=NAME.",
        ),
        (
            "a,label\n1,x\n",
            {"target": "lable"},
            "`data.target` must be one of a, label; got lable. Did you mean label?",
        ),
        (
            "a,label\n1,x\n",
            {"task": "regresion"},
            "`data.task` must be one of auto, classification, regression; got regresion. Did you"
            " mean regression?",
        ),
        (
            "a,label\n1,x\n2,y\n",
            {"task": "regression"},
            "`data.task` must be auto or classification where the target is no number; got"
            " regression with label of my.csv. Change it or choose another target.",
        ),
        (
            "a,color,label\n1,1,x\n2,red,y\n3,green,x\n",
            {},
            "`data.path` must hold numbers in every column but the target; got red in"
            " column color on line 3 of my.csv. Encode the column as numbers or drop it.",
        ),
        (
            "a,b,label\n1,1,x\n2,,y\n",
            {},
            "`data.path` must hold a value in every row and column; got none in column b on"
            " line 3 of my.csv. Fill it in or drop the row.",
        ),
        (
            "a,b,label\n1,1,x\n2,1,y\n3,1,\n",
            {},
            "`data.path` must hold a value in every row and column; got none in column label"
            " on line 4 of my.csv. Fill it in or drop the row.",
        ),
        (
            "a,label\n1,x\n-inf,y\n",
            {},
            "`data.path` must hold finite numbers, below 1e+150 in size; got -inf in column a"
            " on line 3 of my.csv. Correct it or drop the row.",
        ),
        (
            "a,label\n1,5\n2,inf\n",
            {},
            "`data.path` must hold finite numbers, below 1e+150 in size; got inf in column"
            " label on line 3 of my.csv. Correct it or drop the row.",
        ),
        (
            "a,label\n1,x\n2,x\n",
            {},
            "`data.target` must be a column of more than one value; got label, which is x in every"
            " row of my.csv. Choose another column.",
        ),
        (
            "a,label\n1,2.5\n2,2.5\n",
            {},
            "`data.target` must be a column of more than one value; got label, which is 2.5 in"
            " every row of my.csv. Choose another column.",
        ),
        (
            "a,label\n",
            {},
            "`data.path` must hold at least one sample; got no rows in my.csv. Add some.",
        ),
        (
            "label\nx\ny\n",
            {},
            "`data.path` must have a column beside the target; got only label in my.csv. Add"
            " columns to predict it from.",
        ),
        (
            ",a,label\n0,1,x\n1,2,y\n",
            {},
            "`data.path` must be a table with a name over every column; got my.csv, where one is"
            " missing. Write it without row numbers (in pandas, index=False) or name the column.",
        ),
        (
            "a,label\n1,2,x\n2,3,y\n",
            {},
            "`data.path` must be a table with a name over every column; got my.csv, where one is"
            " missing. Write it without row numbers (in pandas, index=False) or name the column.",
        ),
        (
            "a,label\n1,x\n2,y,3,4\n",
            {},
            "`data.path` must be a whole .csv file; got my.csv, which cannot be read as one"
            " (ParserError). Save it again.",
        ),
        (
            "",
            {},
            "`data.path` must be a whole .csv file; got my.csv, which cannot be read as one"
            " (EmptyDataError). Save it again.",
        ),
        (
            "a,label\n1,x\n2,x\n3,y\n",
            {"samples": 1, "seed": 3},
            "`data.samples` must leave samples of every class to train on; got 1, which leaves"
            " none of class y. Change it, or draw otherwise by data.seed.",
        ),
    ],
)
def test_bad_tables_are_answered_with_a_sentence(table, here, text, keys, message):
    assert refusal(**table(text, **keys)) == message.format(here=here)


LINES = ("", "  ", "\t")
TEXTS = ("1", "x", '"p"', '"p\nq"', '"p\n\nq"', '"a""b"', '5"', '"x,y"')


@pytest.mark.parametrize("seed", range(100))
def test_a_row_of_a_csv_file_is_named_by_the_line_it_begins_on(here, seed):
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    written, begins = ["a,b"], []
    for row in range(6):
        written += draw.choices(LINES, k=draw.choice((0, 0, 1, 2)))
        begins.append(1 + sum(1 + text.count("\n") for text in written))
        written.append(f"{draw.choice(TEXTS)},{row}")
    end = draw.choice(("\n", "\r\n"))
    (here / "my.csv").write_bytes("\n".join(written).replace("\n", end).encode())
    assert pd.read_csv("my.csv")["b"].tolist() == [*range(6)]  # the same rows as are read
    assert [table_files.place(Path("my.csv"), row) for row in range(6)] == [
        f"on line {line}" for line in begins
    ]


def test_where_lines_cannot_be_counted_a_row_is_an_index(here):
    (here / "my.csv").write_text(f'a,b\n"{"x" * 200_000}",1\n2,3\n')
    assert table_files.place(Path("my.csv"), 1) == "at index 1"


@pytest.mark.parametrize(
    ("name", "problem"),
    [("t.parquet", "ArrowInvalid"), ("t.npz", "BadZipFile"), ("t.csv", "UnicodeDecodeError")],
)
def test_a_file_that_only_bears_the_name_is_refused(here, name, problem):
    (here / name).write_bytes(b"\xff\xfe\x93NUMPY" * 20)
    assert refusal(name="table", path=name, target="y") == (
        f"`data.path` must be a whole {name[1:]} file; got {name}, which cannot be read as one"
        f" ({problem}). Save it again."
    )


def test_another_kind_of_file_is_refused(here):
    (here / "notes.txt").write_text("a,label\n1,x\n")
    assert refusal(name="table", path="notes.txt", target="label") == (
        "`data.path` must be a .csv, .parquet, .npz file; got notes.txt. Save the table in one of"
        " these formats."
    )


def test_python_objects_in_npz_are_refused_without_unpickling(here):
    np.savez("o.npz", a=np.array([1, 2]), label=np.array(["x", None], dtype=object))
    assert refusal(name="table", path="o.npz", target="label") == (
        "`data.path` must hold arrays of numbers, booleans or text; got Python objects in label of"
        " o.npz. Save it as such an array."
    )


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"a": [1, 2], "label": [1, 2, 3]}, "a (2,), label (3,)"),
        ({"X": [[1, 2]], "y": [1, 2, 3]}, "X (1, 2), y (3,)"),
        ({"X": [[1, 2]], "y": [[1]]}, "X (1, 2), y (1, 1)"),
        ({"A": [[1, 2]], "b": [[1, 2]]}, "A (1, 2), b (1, 2)"),
        ({"a": 1}, "a ()"),
        ({}, "no arrays"),
    ],
)
def test_npz_of_other_shapes_is_refused(here, arrays, found):
    np.savez("s.npz", **{name: np.array(values) for name, values in arrays.items()})
    assert refusal(name="table", path="s.npz", target="label") == (
        "`data.path` must hold 1-D arrays of one length, or a 2-D X with samples as rows and a 1-D"
        f" y; got {found} in s.npz. Save them in one of these ways."
    )


def test_dates_and_complex_numbers_are_no_features(here):
    refused = (
        "`data.path` must hold numbers in every column but the target; got {} in column a at index"
        " 0 of {}. Encode the column as numbers or drop it."
    )
    dates = pd.to_datetime(["2020-01-01", "2021-01-01"])
    pd.DataFrame({"a": dates, "label": ["x", "y"]}).to_parquet("d.parquet")
    np.savez("c.npz", a=np.array([1j, 2]), label=np.array(["x", "y"]))
    for file, shown in (("d.parquet", "2020-01-01 00:00:00"), ("c.npz", "1j")):
        said = refusal(name="table", path=file, target="label")
        assert said == refused.format(shown, file)


def test_an_archive_of_other_things_is_no_npz(here):
    with zipfile.ZipFile("z.npz", "w") as archive:
        archive.writestr("a.txt", "1, 2, 3")
    assert refusal(name="table", path="z.npz", target="label") == (
        "`data.path` must hold 1-D arrays of one length, or a 2-D X with samples as rows and a 1-D"
        " y; got a.txt () in z.npz. Save them in one of these ways."
    )
