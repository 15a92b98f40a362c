"""The columns of a stored run: name, type, unit, meaning; for Parquet and for the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from bpcore.probes import PROBES, SCALARS

# Raised when columns change their meaning; stands in the metadata of each part.
SCHEMA_VERSION = 1
HISTORY = "history_"

_CURVE = pa.list_(pa.float64())
_LAYERS = pa.list_(pa.list_(pa.float32()))
_NAMES = pa.list_(pa.string())
_FACTORS = pa.list_(pa.float64())


@dataclass(frozen=True)
class Column:
    """A column of the store."""

    type: pa.DataType
    about: str


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "run": Column(pa.string(), "identity of the run, 32 hex digits"),
        "outcome": Column(pa.string(), "finished or diverged"),
        "final_loss": Column(
            pa.float64(), "loss over all training data at the end, nats or half squared units"
        ),
        "final_accuracy": Column(
            pa.float64(), "share of training samples that are right; null for regression"
        ),
        "final_loss_test": Column(pa.float64(), "the same on the test split; null without one"),
        "final_accuracy_test": Column(pa.float64(), "the same on the test split"),
        "final_dead_fraction": Column(
            pa.float64(), "share of all hidden units that are 0 on all training data at the end"
        ),
        "prior_loss": Column(
            pa.float64(), "loss of the best output that does not depend on the input"
        ),
        "steps": Column(pa.int64(), "updates made"),
        "seconds": Column(pa.float64(), "the run's share of its stack's time, seconds"),
        "activation": Column(pa.string(), "activation of the hidden layers"),
        "depth": Column(pa.int32(), "hidden layers"),
        "width": Column(pa.string(), "units in each; joined by - where they differ"),
        "init": Column(pa.string(), "initializer"),
        "init_scale": Column(pa.float64(), "factor on the initial weights"),
        "init_low": Column(pa.float64(), "lower end of init=uniform at scale 1"),
        "init_high": Column(pa.float64(), "upper end of init=uniform at scale 1"),
        "bias_scale": Column(pa.float64(), "factor on the initial biases"),
        "scale_factor": Column(_FACTORS, "further factor on the initial weights, by layer"),
        "lr": Column(pa.float64(), "learning rate"),
        "lr_factor": Column(_FACTORS, "further factor on the learning rate, by layer"),
        "optimizer": Column(pa.string(), "optimizer"),
        "momentum": Column(pa.float64(), "constant of momentum and nesterov"),
        "beta1": Column(pa.float64(), "constant of adam"),
        "beta2": Column(pa.float64(), "constant of adam and rmsprop"),
        "epsilon": Column(pa.float64(), "constant of adam and rmsprop"),
        "batch_size": Column(pa.int64(), "samples a step; null for the full batch"),
        "epochs": Column(pa.int64(), "passes over the training data asked for"),
        "loss": Column(pa.string(), "name of the loss"),
        "reduction": Column(pa.string(), "mean or sum of the loss over samples"),
        "output": Column(pa.string(), "output unit"),
        "bias": Column(pa.bool_(), "whether layers have biases"),
        "weight_decay": Column(pa.float64(), "factor of W added to its gradient"),
        "seed": Column(pa.int64(), "seed of the run"),
        "replicate": Column(pa.int64(), "repetition; with seed the origin of all its streams"),
        "dtype": Column(pa.string(), "float32 or float64"),
        "defects": Column(_NAMES, "mistakes trained with"),
        "data": Column(pa.string(), "name of the data set"),
        "data_digest": Column(pa.string(), "digest of its arrays; data/<digest>.npz"),
        "samples": Column(pa.int64(), "training samples"),
        "samples_test": Column(pa.int64(), "test samples"),
        "classes": Column(pa.int32(), "classes of the data; 0 for regression"),
        "n_in": Column(pa.int32(), "inputs of the network"),
        "n_out": Column(pa.int32(), "outputs of the network"),
        "engine": Column(pa.int32(), "version of the core's numbers"),
        "provenance": Column(pa.string(), "where it ran; provenance/<id>.json"),
        HISTORY + "epoch": Column(pa.list_(pa.int32()), "epochs at whose start was measured"),
        **{
            HISTORY + name: Column(_CURVE, f"{name.replace('_', ' on the ')} at these epochs")
            for name in SCALARS
        },
        **{
            HISTORY + name: Column(
                _LAYERS if probe.per_layer else _CURVE,
                f"{probe.what}, at these epochs" + (", by layer" if probe.per_layer else ""),
            )
            for name, probe in PROBES.items()
        },
    }
)

SCHEMA = pa.schema(
    [pa.field(name, column.type) for name, column in COLUMNS.items()],
    metadata={"bpcore.schema": str(SCHEMA_VERSION)},
)
SCALAR_COLUMNS = tuple(name for name in COLUMNS if not name.startswith(HISTORY))
HISTORY_COLUMNS = tuple(name for name in COLUMNS if name.startswith(HISTORY))
