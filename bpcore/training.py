"""The training loop: a stack of runs in, an outcome and a history for each out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from bpcore.activations import Array
from bpcore.batches import batches, with_ones
from bpcore.buffers import copy, zeros
from bpcore.optimizers import OPTIMIZERS
from bpcore.recording import Recorder
from bpcore.results import RunResult, StackResult
from bpcore.spec import Data, RunSpec, StackSpec
from bpcore.stack import Network, bytes_of_a_step, bytes_of_an_operation
from bpcore.start import start

# A loss is tested for being finite before every tenth step, counted from the first, and at the end.
CHECK_EVERY = 10
# Evaluation goes through the data in pieces of this many columns, to stay in the cache.
CHUNK = 512
# Stacks train fastest where the arrays of one operation, and those of a step, stay in a cache; the
# optimum is flat. Below and above these numbers of runs nothing is gained.
OPERATION_BYTES = 800 * 1024
STEP_BYTES = 2 * 1024 * 1024
STACK_RUNS = (8, 64)


def stack_size(spec: StackSpec, samples: int) -> int:
    """Return the number of runs that train fastest together."""
    samples = min(spec.batch_size or samples, samples)
    runs = min(
        OPERATION_BYTES // bytes_of_an_operation(spec, samples),
        STEP_BYTES // bytes_of_a_step(spec, samples),
    )
    return int(np.clip(runs, *STACK_RUNS))


def _pieces(spec: StackSpec, X: Array, Y: Array) -> list[tuple[Array, Array]]:
    """Cut `(n, m)` data into pieces of columns, `(1, n, CHUNK)` with the row of ones."""
    X, Y = with_ones(X, spec), Y.astype(spec.dtype)
    starts = range(0, X.shape[1], CHUNK)
    return [
        tuple(copy(array[None, :, at : at + CHUNK]) for array in (X, Y))  # type: ignore[misc]
        for at in starts
    ]


class _Training:
    """One training of a stack: the loop and what it keeps."""

    def __init__(self, spec: StackSpec, runs: Sequence[RunSpec], data: Data) -> None:
        self.spec = spec
        self.data = data
        self.batches = batches(spec, runs, data)
        self.parameters = start(spec, runs)
        self.recorder = Recorder(spec, len(runs))
        self.alive = np.arange(len(runs))
        R = len(runs)
        self.diverged = np.zeros(R, bool)
        self.steps_made = np.zeros(R, int)
        self.loss = np.full(R, np.nan)
        self.final = np.zeros_like(self.parameters.flat)
        self.due = {epoch: k for k, epoch in enumerate(spec.record)}
        self.update = OPTIMIZERS[spec.optimizer].update
        self.steps = 0
        self.pieces = _pieces(spec, data.X, data.Y)
        self.test_pieces = _pieces(spec, data.X_test, data.Y_test)
        self._build()

    def _build(self) -> None:
        """Make gradients and networks for the runs that are left."""
        self.grads = zeros(self.parameters.flat.shape, self.spec.dtype)
        self.networks: dict[int, Network] = {}
        # Apart from those of the steps, whose buffers hold the step's forward pass.
        self.evaluators: dict[int, Network] = {}

    def run(self) -> None:
        """Train to the end, or until every run has diverged."""
        for epoch in range(self.spec.epochs):
            if not len(self.alive):
                return
            self._epoch(self.due.get(epoch))
        if len(self.alive):
            self._end()

    def _network(self, samples: int) -> Network:
        if samples not in self.networks:
            self.networks[samples] = self._new_network(samples)
        return self.networks[samples]

    def _new_network(self, samples: int) -> Network:
        return Network(self.spec, self.parameters, self.grads, samples)

    def _epoch(self, record: int | None) -> None:
        self.batches.shuffle()
        at = 0
        for size in self.batches.sizes:
            network = self._forward(at, size)
            if self.steps % CHECK_EVERY == 0 and self._freeze_diverged(network):
                if not len(self.alive):
                    return
                network = self._forward(at, size)
            if at == 0 and record is not None:
                self._recorded_step(network, record)
            else:
                network.backward()
                self._step()
            at += size

    def _forward(self, at: int, size: int) -> Network:
        network = self._network(size)
        network.bind(*self.batches.take(at, size))
        network.forward()
        return network

    def _step(self) -> None:
        """Step the parameters along the gradients, which are used up."""
        self.steps += 1
        p = self.parameters
        if self.spec.decays:
            self.grads += p.decay * p.flat
        self.update(p.flat, self.grads, p.rates, p.state, self.steps, self.spec.hyper)

    def _freeze_diverged(self, network: Network) -> bool:
        """End the runs whose loss is not finite; say whether there were any."""
        if network.losses_are_finite():
            return False
        losses = network.loss()
        finite = np.isfinite(losses)
        if finite.all():
            return False
        self._finish(~finite, losses)
        self.alive = self.alive[finite]
        self.parameters = self.parameters.keep(finite)
        self.batches.keep(finite)
        self._build()
        return True

    def _recorded_step(self, network: Network, k: int) -> None:
        """Make a step, already run forward, and measure before, within and after it."""
        recorder, alive, data = self.recorder, self.alive, self.data
        full = self.spec.batch_size is None
        passes = (network,) if full else self._evaluate(self.pieces)
        recorder.training(passes, data, alive, k)
        recorder.test(self._evaluate(self.test_pieces), data, alive, k)
        network.backward()
        recorder.gradients(network, alive, k)
        before = self.parameters.flat.copy()
        self._step()
        recorder.updates(before, self.parameters.flat, alive, k)

    def _evaluate(self, pieces: Sequence[tuple[Array, Array]]) -> Iterator[Network]:
        """Yield a network after each forward pass over a piece of the data."""
        for x, y in pieces:
            samples = x.shape[2]
            if samples not in self.evaluators:
                self.evaluators[samples] = self._new_network(samples)
            network = self.evaluators[samples]
            network.bind(x, x.transpose(0, 2, 1), y)
            network.forward()
            yield network

    def _end(self) -> None:
        """Record the end; the step that its gradients are read from is taken back."""
        last = len(self.spec.record) - 1
        final, steps = self.parameters.flat.copy(), self.steps
        self.batches.shuffle()
        self._recorded_step(self._forward(0, self.batches.sizes[0]), last)
        self.parameters.flat[:], self.steps = final, steps
        loss = self.recorder.values["loss"][self.alive, last]
        self._finish(np.ones(len(self.alive), bool), loss)

    def _finish(self, rows: Array, losses: Array) -> None:
        """Keep how the runs in these rows of the stack ended."""
        runs = self.alive[rows]
        self.loss[runs] = losses[rows]
        self.diverged[runs] = ~np.isfinite(self.loss[runs])
        self.steps_made[runs] = self.steps
        self.final[runs] = self.parameters.flat[rows]


def train_stack(spec: StackSpec, runs: Sequence[RunSpec], data: Data) -> StackResult:
    """Train a stack of runs; each is the same to the last bit as if trained alone.

    Args:
        spec: what the runs share.
        runs: what each has for itself, in any number; `stack_size` says how many are fastest.
        data: prepared data.

    Raises:
        ValueError: the data do not fit the network, or a run has a weight decay and the spec
            says `decays=False`.
    """
    began = time.perf_counter()
    for name, n in (("X", spec.sizes[0]), ("X_test", spec.sizes[0]), ("Y", spec.sizes[-1])):
        m = data.X_test.shape[1] if name == "X_test" else data.X.shape[1]
        shape = getattr(data, name).shape
        if shape != (n, m):
            msg = f"`{name}` must be ({n}, {m}) for sizes={spec.sizes}, one sample a column; "
            raise ValueError(msg + f"got {shape}.")
    if not spec.decays and any(run.weight_decay for run in runs):
        msg = "`decays` must be true in the spec of runs with a weight_decay; got false."
        raise ValueError(msg)
    with np.errstate(all="ignore"):  # overflow is an outcome here, not an accident
        training = _Training(spec, runs, data)
        training.run()
    return StackResult(
        spec,
        training.diverged,
        training.steps_made,
        training.loss,
        training.recorder.values,
        training.recorder.written,
        training.final,
        time.perf_counter() - began,
    )


def train(spec: StackSpec, runs: Sequence[RunSpec], data: Data) -> list[RunResult]:
    """Train a stack of runs; each result is the same to the last bit as if trained alone.

    Args:
        spec: what the runs share.
        runs: what each has for itself, in any number; `stack_size` says how many are fastest.
        data: prepared data.

    Returns:
        One result a run, in the order of `runs`.

    Example:
        >>> xor = Data.of([[0, 0, 1, 1], [0, 1, 0, 1]], [[0, 1, 1, 0]])
        >>> spec = StackSpec(sizes=(2, 8, 1), activation="tanh", epochs=500)
        >>> [result] = train(spec, [RunSpec(lr=1.0, init="glorot_uniform")], xor)
        >>> result.outcome, result.accuracy
        (<Outcome.FINISHED: 'finished'>, 1.0)
    """
    result = train_stack(spec, runs, data)
    return [result[r] for r in range(len(result))]
