"""Stacked training against a plain loop over runs of the same work.

    python benchmarks/stack.py            # the table, about two minutes
    python benchmarks/stack.py --quick    # fewer rounds

Both sides train the same networks from the same start in the same dtype on one core; the plain
loop is what a reader writes in NumPy for one network, with the equations of the well-known course.
In mini-batches, runs of a sweep over rates or scales see the samples in the same order, and are
packed so; the second row of digits is one over replicates alone. Figures are ratios of medians over
interleaved rounds. The parameters of both sides are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from bpcore import Data, RunSpec, StackSpec, epochs_to_record, stack_size, train
from bpcore.stack import views
from bpcore.start import ORDER, initial_parameters, stream

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Work:
    """One row of the table."""

    name: str
    spec: StackSpec
    data: Data
    epochs_with_probes: int
    own_orders: bool = True


def works(dtype: str) -> list[Work]:
    """Return the four rows in one dtype."""
    rng = np.random.default_rng(0)

    def two_class(n_in: int, m: int) -> Data:
        X = rng.standard_normal((n_in, m))
        return Data.of(X, (X[:1] * X[1:2] > 0).astype(float))

    X = rng.standard_normal((64, 1437))
    digits = Data.of(X, np.eye(10)[np.argmax(X[:10], axis=0)].T)
    base = StackSpec(sizes=(2, 10, 10, 1), dtype=dtype, probes=(), epochs=1000)
    mini = replace(
        base,
        sizes=(64, 32, 32, 10),
        output="softmax",
        loss="softmax_cross_entropy",
        batch_size=128,
        epochs=20,
        record=(),
    )
    return [
        Work("2-10-10-1 relu, 200 samples, full batch", base, two_class(2, 200), 1000),
        Work(
            "64-32-32-10 relu digits, batches of 128",
            mini,
            digits,
            100,
            own_orders=False,
        ),
        Work("the same, each run in its own order", mini, digits, 100),
        Work(
            "16-16-1 tanh, no bias, 272 samples",
            replace(base, sizes=(16, 16, 1), activation="tanh", bias=False),
            two_class(16, 272),
            1000,
        ),
        Work(
            "10 layers of 8, relu, 128 samples",
            replace(base, sizes=(2, *[8] * 10, 1)),
            two_class(2, 128),
            1000,
        ),
    ]


def relu(z: Array) -> Array:
    """`max(0, z)`."""
    return np.maximum(0, z)


def sigmoid(z: Array) -> Array:
    """`1 / (1 + e^-z)`."""
    return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    """Over units, shifted."""
    e = np.exp(z - np.max(z, axis=0, keepdims=True))
    return np.asarray(e / np.sum(e, axis=0, keepdims=True))


def forward(X: Array, p: dict[str, Array], spec: StackSpec) -> dict[str, Array]:
    """Keep every activation, as in the course that most posted programs come from."""
    cache = {"A0": X}
    top = spec.layers
    for k in range(1, top + 1):
        Z = np.dot(p[f"W{k}"], cache[f"A{k - 1}"])
        if spec.bias:
            Z = Z + p[f"b{k}"]
        if k < top:
            cache[f"A{k}"] = relu(Z) if spec.activation == "relu" else np.tanh(Z)
        else:
            cache[f"A{k}"] = softmax(Z) if spec.output == "softmax" else sigmoid(Z)
    return cache


def backward(
    Y: Array, p: dict[str, Array], cache: dict[str, Array], spec: StackSpec
) -> dict[str, Array]:
    """`dW = 1/m dZ A^T`, `db = 1/m sum dZ`."""
    m = Y.shape[1]
    grads = {}
    dZ = cache[f"A{spec.layers}"] - Y
    for k in range(spec.layers, 0, -1):
        A = cache[f"A{k - 1}"]
        grads[f"W{k}"] = 1 / m * np.dot(dZ, A.T)
        if spec.bias:
            grads[f"b{k}"] = 1 / m * np.sum(dZ, axis=1, keepdims=True)
        if k > 1:
            slope = A > 0 if spec.activation == "relu" else 1 - np.power(A, 2)
            dZ = np.dot(p[f"W{k}"].T, dZ) * slope
    return grads


def plain(spec: StackSpec, run: RunSpec, data: Data) -> dict[str, Array]:
    """Train one network with plain NumPy, as one would write it by hand."""
    X, Y = data.X.astype(spec.dtype), data.Y.astype(spec.dtype)
    p = {}
    for k, Wb in enumerate(views(initial_parameters(spec, [run]), spec.sizes, bias=spec.bias)):
        p[f"W{k + 1}"] = Wb[0, :, : spec.sizes[k]].copy()
        if spec.bias:
            p[f"b{k + 1}"] = Wb[0, :, spec.sizes[k] :].copy()
    rng = stream(run.seed, run.replicate, ORDER)
    for _ in range(spec.epochs):
        m = X.shape[1]
        batch = spec.batch_size or m
        order = rng.permutation(m) if spec.batch_size else None
        for at in range(0, m, batch):
            rows = slice(None) if order is None else order[at : at + batch]
            x, y = X[:, rows], Y[:, rows]
            grads = backward(y, p, forward(x, p, spec), spec)
            for name, gradient in grads.items():
                p[name] = p[name] - run.lr * gradient
    return p


def interleaved(sides: list[Callable[[], object]], rounds: int) -> list[float]:
    """Return the median seconds of each side, run in turn."""
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, kept in zip(sides, seconds, strict=True):
            began = time.perf_counter()
            with np.errstate(all="ignore"):
                side()
            kept.append(time.perf_counter() - began)
    return [float(np.median(kept)) for kept in seconds]


def measure(work: Work, rounds: int) -> tuple[float, float, float]:
    """Return (speed-up, cost of the usual probes, largest difference of a weight)."""
    spec, data = work.spec, work.data
    size = stack_size(spec, data.X.shape[1])
    runs = [RunSpec(replicate=r if work.own_orders else 0, lr=0.05 + r / 1000) for r in range(size)]
    few = runs[: max(1, len(runs) // 8)]
    short = replace(spec, epochs=3, record=())
    difference = max(
        float(np.max(np.abs(theirs.reshape(ours.params[name].shape) - ours.params[name])))
        for run, ours in zip(few, train(short, few, data), strict=True)
        for name, theirs in plain(short, run, data).items()
    )
    loop, stack = interleaved(
        [lambda: [plain(spec, run, data) for run in few], lambda: train(spec, runs, data)], rounds
    )
    epochs = work.epochs_with_probes
    bare = replace(spec, epochs=epochs, record=(0, epochs))
    probed = replace(
        bare, probes=StackSpec(sizes=(1, 1)).probes, record=epochs_to_record("log:30", epochs)
    )
    without, with_probes = interleaved(
        [lambda: train(bare, runs, data), lambda: train(probed, runs, data)], max(rounds // 2, 3)
    )
    speedup = (loop / len(few)) / (stack / len(runs))
    return speedup, with_probes / without - 1, difference


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 rounds instead of 15")
    rounds = 5 if parser.parse_args().quick else 15
    blas = threadpool_info()[0]
    preset = os.environ.get("OPENBLAS_CORETYPE", "unset")
    print(f"{blas['internal_api']} {blas['architecture']}, OPENBLAS_CORETYPE {preset}, one thread")
    print(f"{'work':42} {'dtype':8} {'times as fast':>13} {'probes cost':>12} {'difference':>11}")
    for dtype in ("float32", "float64"):
        for work in works(dtype):
            speedup, probes, difference = measure(work, rounds)
            print(
                f"{work.name:42} {dtype:8} {speedup:13.1f} {probes:12.1%} {difference:11.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
