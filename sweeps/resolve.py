"""From a composed configuration to runs of the core: defaults filled in, values checked, identity.

A run is known by what it is after resolving: `output=auto` and `output=softmax` are one run where
they mean the same. Floats are rounded to 12 significant digits *before* training, so that equal
identities mean equal bits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bpcore import Data, RunSpec, StackSpec
from sweeps.checks import ONES, check_run, rounded
from sweeps.errors import BadInput
from sweeps.prepared import Prepared
from sweeps.setting import Setting, setting_of


@dataclass(frozen=True)
class Run:
    """One run: what the core needs, what the store keeps, and its identity (32 hex digits)."""

    id: str
    spec: StackSpec
    run: RunSpec
    setting: Setting


def resolve(config: Mapping[str, Any]) -> list[Run]:
    """Turn one cell's configuration into its runs, one a replicate.

    Raises:
        BadInput: a value breaks its rule; the sentence names key, rule and value.
    """
    check_run(config)
    setting = setting_of(config)
    first = _run_spec(config, setting)
    try:
        spec = replace(setting.spec, decays=True) if first.weight_decay else setting.spec
    except ValueError as error:
        raise BadInput(str(error)) from None
    identity = f"{setting.identity} {json.dumps(_without_replicate(first), sort_keys=True)} "
    runs = []
    first_replicate = config["first_replicate"]
    for replicate in range(first_replicate, first_replicate + config["replicates"]):
        digest = hashlib.sha256(f"{identity}{replicate}".encode()).hexdigest()[:32]
        runs.append(Run(digest, spec, _with_replicate(first, replicate), setting))
    return runs


def _with_replicate(run: RunSpec, replicate: int) -> RunSpec:
    # dataclasses.replace checks names again, which costs more than all else for 10,000 cells.
    copy = object.__new__(RunSpec)
    copy.__dict__.update(run.__dict__, replicate=replicate)
    return copy


def _without_replicate(run: RunSpec) -> dict[str, Any]:
    return {name: value for name, value in run.__dict__.items() if name != "replicate"}


def _run_spec(config: Mapping[str, Any], setting: Setting) -> RunSpec:
    layers = setting.spec.layers
    uniform = setting.init == "uniform"
    return RunSpec(
        seed=config["seed"],
        lr=rounded(config["lr"]),
        lr_factor=_factors(config, "lr_factor", layers),
        init=setting.init,
        # What is not used is not part of what a run is.
        init_scale=1.0 if setting.init == "zeros" else rounded(config["init_scale"]),
        scale_factor=_factors(config, "scale_factor", layers),
        init_low=rounded(config["init_low"]) if uniform else -1.0,
        init_high=rounded(config["init_high"]) if uniform else 1.0,
        bias_scale=rounded(config["bias_scale"]) if setting.spec.bias else 0.0,
        weight_decay=rounded(config["weight_decay"]),
    )


def _factors(config: Mapping[str, Any], key: str, layers: int) -> tuple[float, ...]:
    if config[key] == ONES:
        return (1.0,) * layers
    given = [rounded(value) for value in config[key]]
    if any(value != 1 for value in given[layers:]):
        raise BadInput(
            f"`{key}` must have a factor for each of the {layers} layers at most; got "
            f"{len(given)} with {given[layers:]} for layers that are not there. "
            f"Elements count from 0: {key}.0 is the factor of layer 1."
        )
    return (*given[:layers], *[1.0] * (layers - len(given)))


def core_data(prepared: Prepared) -> Data:
    """Hand prepared data to the core."""
    midpoint = prepared.midpoint if prepared.classification else None
    return Data(prepared.X, prepared.Y, prepared.X_test, prepared.Y_test, midpoint)
