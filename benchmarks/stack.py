"""Stacked training against a plain loop over runs of the same work.

    python benchmarks/stack.py            # the table, about two minutes
    python benchmarks/stack.py --quick    # fewer rounds

Both sides train the same networks from the same start in the same dtype on one core; the plain loop is
what a careful reader would write in NumPy for one network (`out=` nowhere, no needless work).
Figures are ratios of medians over interleaved rounds. The parameters of both sides are compared
before anything is timed.
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


def works(dtype: str) -> list[Work]:
    """Return the four rows in one dtype."""
    rng = np.random.default_rng(0)

    def two_class(n_in: int, m: int) -> Data:
        X = rng.standard_normal((n_in, m))
        return Data.of(X, (X[:1] * X[1:2] > 0).astype(float))

    X = rng.standard_normal((64, 1437))
    digits = Data.of(X, np.eye(10)[np.argmax(X[:10], axis=0)].T)
    base = StackSpec(sizes=(2, 10, 10, 1), dtype=dtype, probes=(), epochs=1000)
    return [
        Work("2-10-10-1 relu, 200 samples, full batch", base, two_class(2, 200), 1000),
        Work(
            "64-32-32-10 relu digits, batches of 128",
            replace(
                base,
                sizes=(64, 32, 32, 10),
                output="softmax",
                loss="softmax_cross_entropy",
                batch_size=128,
                epochs=20,
                record=(),
            ),
            digits,
            100,
        ),
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


def plain(spec: StackSpec, run: RunSpec, data: Data) -> list[Array]:
    """Train one network with plain NumPy, as one would write it by hand."""
    dtype = np.dtype(spec.dtype).type
    X, Y = data.X.astype(spec.dtype), data.Y.astype(spec.dtype)
    cut = [Wb[0] for Wb in views(initial_parameters(spec, [run]), spec.sizes, bias=spec.bias)]
    W = [Wb[:, :n].copy() for Wb, n in zip(cut, spec.sizes, strict=False)]
    b = [Wb[:, n:].copy() for Wb, n in zip(cut, spec.sizes, strict=False)]
    relu, softmax = spec.activation == "relu", spec.output == "softmax"
    rng, lr, top = stream(run.seed, run.replicate, ORDER), dtype(run.lr), len(W) - 1

    def step(x: Array, y: Array) -> None:
        a = [x]
        for k in range(top + 1):
            z = W[k] @ a[k] + b[k] if spec.bias else W[k] @ a[k]
            if k < top:
                a.append(np.maximum(z, 0) if relu else np.tanh(z))
            elif softmax:
                e = np.exp(z - z.max(axis=0))
                a.append(e / e.sum(axis=0))
            else:
                a.append(1 / (1 + np.exp(-z)))
        delta = (a[-1] - y) / dtype(x.shape[1])
        for k in range(top, -1, -1):
            dW = delta @ a[k].T
            db = delta.sum(axis=1, keepdims=True) if spec.bias else None
            if k:
                slope = (a[k] > 0) if relu else (1 - a[k] * a[k])
                delta = (W[k].T @ delta) * slope
            W[k] -= lr * dW
            if db is not None:
                b[k] -= lr * db

    for _ in range(spec.epochs):
        if spec.batch_size is None:
            step(X, Y)
            continue
        order = rng.permutation(X.shape[1])
        for at in range(0, len(order), spec.batch_size):
            rows = order[at : at + spec.batch_size]
            step(X[:, rows], Y[:, rows])
    return W


def interleaved(sides: list[Callable[[], object]], rounds: int) -> list[float]:
    """Return the median seconds of each side, run in turn."""
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, kept in zip(sides, seconds, strict=True):
            began = time.perf_counter()
            side()
            kept.append(time.perf_counter() - began)
    return [float(np.median(kept)) for kept in seconds]


def measure(work: Work, rounds: int) -> tuple[float, float, float]:
    """Return (speed-up, cost of the usual probes, largest difference of a weight)."""
    spec, data = work.spec, work.data
    runs = [RunSpec(replicate=r, lr=0.05) for r in range(stack_size(spec, data.X.shape[1]))]
    few = runs[: max(1, len(runs) // 8)]
    short = replace(spec, epochs=3, record=())
    difference = max(
        float(np.max(np.abs(theirs - ours.params[f"W{k}"])))
        for run, ours in zip(few, train(short, few, data), strict=True)
        for k, theirs in enumerate(plain(short, run, data), start=1)
    )
    loop, stack = interleaved(
        [lambda: [plain(spec, run, data) for run in few], lambda: train(spec, runs, data)], rounds
    )
    epochs = work.epochs_with_probes
    bare = replace(spec, epochs=epochs, record=(0, epochs))
    probed = replace(
        bare, probes=StackSpec(sizes=(1, 1)).probes, record=epochs_to_record("log:50", epochs)
    )
    without, with_probes = interleaved(
        [lambda: train(bare, runs, data), lambda: train(probed, runs, data)], max(rounds // 2, 3)
    )
    speedup = (loop / len(few)) / (stack / len(runs))
    return speedup, with_probes / without - 1, difference


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 9")
    rounds = 3 if parser.parse_args().quick else 9
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
