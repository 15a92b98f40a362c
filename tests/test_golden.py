"""Numbers of a dozen short trainings: they guard ENGINE_VERSION, which stands in every identity.

When this test fails because results were meant to change, raise `bpcore.spec.ENGINE_VERSION`, or
stores would mix runs of two meanings under one identity, and write the numbers anew with

    python tests/test_golden.py
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bpcore import ENGINE_VERSION, Data, Hyper, RunSpec, StackSpec, train

XOR = Data.of([[0, 0, 1, 1], [0, 1, 0, 1]], [[0, 1, 1, 0]])
_angle = np.linspace(0, 6, 24)
SPIRAL = Data.of(
    [_angle * np.cos(_angle) / 6, _angle * np.sin(_angle) / 6], np.eye(3)[:, [0, 1, 2] * 8]
)
CURVE = Data.of([np.linspace(-1, 1, 16)], [np.sin(3 * np.linspace(-1, 1, 16))], midpoint=None)

XOR_NET = {"sizes": (2, 5, 1), "epochs": 40}
SPIRAL_NET = {
    "sizes": (2, 8, 6, 3),
    "output": "softmax",
    "loss": "softmax_cross_entropy",
    "epochs": 25,
}
CURVE_NET = {"sizes": (1, 6, 1), "output": "identity", "loss": "squared_error", "epochs": 30}

TRAININGS = {
    "sigmoid": (XOR, XOR_NET | {"activation": "sigmoid"}, {"init": "normal", "lr": 1.0}),
    "relu": (XOR, XOR_NET, {"init": "he_normal", "lr": 0.3, "replicate": 3}),
    "tanh, momentum, sum": (
        XOR,
        XOR_NET | {"activation": "tanh", "optimizer": "momentum", "reduction": "sum"},
        {"init": "glorot_uniform", "lr": 0.05, "bias_scale": 0.5},
    ),
    "elu, nesterov, decay": (
        XOR,
        XOR_NET | {"activation": "elu", "optimizer": "nesterov", "decays": True},
        {"init": "lecun_normal", "lr": 0.1, "weight_decay": 0.01},
    ),
    "gelu, rmsprop": (
        SPIRAL,
        SPIRAL_NET | {"activation": "gelu", "optimizer": "rmsprop", "hyper": Hyper(beta2=0.9)},
        {"init": "he_uniform", "lr": 0.01},
    ),
    "silu, adam": (
        SPIRAL,
        SPIRAL_NET | {"activation": "silu", "optimizer": "adam"},
        {"init": "glorot_normal", "lr": 0.02, "seed": 5},
    ),
    "leaky relu, batches": (
        SPIRAL,
        SPIRAL_NET | {"activation": "leaky_relu", "batch_size": 7},
        {"init": "orthogonal", "lr": 0.1, "replicate": 1},
    ),
    "softplus, factors": (
        SPIRAL,
        SPIRAL_NET | {"activation": "softplus"},
        {
            "init": "uniform",
            "init_low": -0.5,
            "lr": 0.1,
            "lr_factor": (1.0, 2.0),
            "scale_factor": (0.5,),
        },
    ),
    "softsign, regression": (
        CURVE,
        CURVE_NET | {"activation": "softsign"},
        {"init": "glorot_normal", "lr": 0.2},
    ),
    "identity, no bias, regression": (
        CURVE,
        CURVE_NET | {"activation": "identity", "bias": False},
        {"init": "constant", "lr": 0.1, "init_scale": 0.3},
    ),
    "sigmoid, missing output derivative": (
        XOR,
        XOR_NET
        | {
            "activation": "sigmoid",
            "loss": "squared_error",
            "defects": ("missing_output_derivative",),
        },
        {"init": "normal", "lr": 0.5},
    ),
    "tanh, weights updated before backprop": (
        SPIRAL,
        SPIRAL_NET | {"activation": "tanh", "defects": ("weights_updated_before_backprop",)},
        {"init": "glorot_normal", "lr": 0.3},
    ),
    "relu, float32": (
        XOR,
        XOR_NET | {"dtype": "float32"},
        {"init": "he_normal", "lr": 0.3, "replicate": 3},
    ),
}

# Written by `python tests/test_golden.py`: the final loss of each training.
GOLDEN_VERSION = 1
GOLDEN = {
    "sigmoid": 0.6888035504262442,
    "relu": 0.5002298470811263,
    "tanh, momentum, sum": 0.5274072452731913,
    "elu, nesterov, decay": 0.6378994929536423,
    "gelu, rmsprop": 1.0822980499017265,
    "silu, adam": 1.0761970804321987,
    "leaky relu, batches": 1.096685626365169,
    "softplus, factors": 1.1011866460112822,
    "softsign, regression": 0.07668891380017337,
    "identity, no bias, regression": 0.10291107964690363,
    "sigmoid, missing output derivative": 0.1265199215979119,
    "tanh, weights updated before backprop": 1.0954961428625247,
    "relu, float32": 0.5002298355102539,
}


def final_losses() -> dict[str, float]:
    """Train them all."""
    losses = {}
    for name, (data, spec, run) in TRAININGS.items():
        [result] = train(StackSpec(**spec, record=()), [RunSpec(**run)], data)
        losses[name] = result.loss
    return losses


@pytest.fixture(scope="module")
def losses():
    return final_losses()


@pytest.mark.parametrize("name", TRAININGS)
def test_results_are_those_of_this_engine_version(name, losses):
    # Kernels of BLAS round differently. Forty steps of a smooth training multiply 1e-16 by far
    # less than 1e6 (four kernels: 3e-16 apart, 3e-8 in float32); a change of meaning shows early.
    tolerance = 1e-5 if "float32" in name else 1e-10
    assert losses[name] == pytest.approx(GOLDEN[name], rel=tolerance)


def test_the_numbers_belong_to_this_engine_version():
    assert GOLDEN_VERSION == ENGINE_VERSION


def test_every_training_has_its_number_and_learned_something(losses):
    assert set(GOLDEN) == set(TRAININGS)
    for name, (data, spec, run) in TRAININGS.items():
        [start] = train(StackSpec(**spec | {"epochs": 0}, record=()), [RunSpec(**run)], data)
        assert losses[name] != pytest.approx(start.loss, rel=1e-3), name


if __name__ == "__main__":
    lines = [f'    "{name}": {loss!r},\n' for name, loss in final_losses().items()]
    sys.stdout.write(f"GOLDEN_VERSION = {ENGINE_VERSION}\nGOLDEN = {{\n{''.join(lines)}}}\n")
