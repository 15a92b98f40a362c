"""How a run starts: random streams, initial parameters, learning rates of every entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numpy.random import Generator, SeedSequence, default_rng

from bpcore.activations import Array
from bpcore.buffers import zeros
from bpcore.initializers import INITIALIZERS
from bpcore.optimizers import OPTIMIZERS
from bpcore.stack import Parameters, count_parameters, views

if TYPE_CHECKING:
    from bpcore.spec import RunSpec, StackSpec

# Purposes of random streams; a stream is the child (purpose, layer) of (seed, replicate).
WEIGHTS, BIASES, ORDER = range(3)


def stream(seed: int, replicate: int, purpose: int, layer: int = 0) -> Generator:
    """Return the generator of one purpose: equal for equal (seed, replicate), whatever else."""
    return default_rng(SeedSequence((seed, replicate), spawn_key=(purpose, layer)))


def _factors(factors: tuple[float, ...], layers: int) -> list[float]:
    return [*factors[:layers], *[1.0] * (layers - len(factors))]


def initial_parameters(spec: StackSpec, runs: Sequence[RunSpec]) -> Array:
    """Draw the start of every run, `(R, P)` in the stack's dtype; draws are made in float64."""
    flat = zeros((len(runs), count_parameters(spec.sizes, bias=spec.bias)), spec.dtype)
    for k, Wb in enumerate(views(flat, spec.sizes, bias=spec.bias)):
        n_in, n_out = spec.sizes[k], spec.sizes[k + 1]
        weights: dict[tuple[int, int, str], Array] = {}
        for r, run in enumerate(runs):
            # Runs that differ in scale alone share their draws.
            key = (run.seed, run.replicate, run.init)
            if key not in weights:
                rng = stream(run.seed, run.replicate, WEIGHTS, k)
                weights[key] = INITIALIZERS[run.init].weights(n_in, n_out, rng)
            scale = run.init_scale * _factors(run.scale_factor, spec.layers)[k]
            Wb[r, :, :n_in] = scale * _between_ends(run, weights[key])
            if spec.bias and run.bias_scale:
                rng = stream(run.seed, run.replicate, BIASES, k)
                unit = INITIALIZERS[run.init].bias(n_out, rng)
                Wb[r, :, n_in] = run.bias_scale * _between_ends(run, unit)
                # Makes +0.0 of -0.0, after rounding; `slope_rule` relies on it.
                Wb[r, :, n_in] += 0.0
    return flat


def _between_ends(run: RunSpec, unit: Array) -> Array:
    """Move draws of `uniform` from (-1, 1) to (init_low, init_high)."""
    if run.init != "uniform":
        return unit
    return run.init_low + (run.init_high - run.init_low) * (unit + 1) / 2


def start(spec: StackSpec, runs: Sequence[RunSpec]) -> Parameters:
    """Return parameters, learning rates, decays and optimizer state before the first step."""
    flat = initial_parameters(spec, runs)
    rates, decay, *state = (
        zeros(flat.shape, flat.dtype) for _ in range(2 + OPTIMIZERS[spec.optimizer].arrays)
    )
    cut = [views(array, spec.sizes, bias=spec.bias) for array in (rates, decay)]
    for r, run in enumerate(runs):
        for k, factor in enumerate(_factors(run.lr_factor, spec.layers)):
            cut[0][k][r] = run.lr * factor
            cut[1][k][r, :, : spec.sizes[k]] = run.weight_decay
    return Parameters(flat, rates, decay, state)
