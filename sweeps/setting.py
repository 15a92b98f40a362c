"""A stack's part of a configuration, resolved: what its runs share, and the data they train on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from bpcore import ENGINE_VERSION, Hyper, StackSpec, epochs_to_record
from bpcore.activations import ACTIVATIONS
from bpcore.defects import canonical_defects
from bpcore.losses import USUAL_OUTPUT
from bpcore.optimizers import OPTIMIZERS
from bpcore.probes import PROBES
from bpcore.stack import count_parameters
from sweeps import datasets
from sweeps.checks import (
    MOST_PARAMETERS,
    NAMES,
    SHARED_RULES,
    check_names,
    check_rules,
    rounded,
    shown,
    whole,
)
from sweeps.errors import BadInput, one_of
from sweeps.prepared import Prepared

USUAL_DEPTH = 2

# What the runs of a stack share; only this has to be resolved together with the data.
SHARED_SCALARS = (*NAMES, *SHARED_RULES, "bias")
SHARED_NESTED = ("width", "batch_size", "defects", "probes", "record", "data")


@dataclass(frozen=True)
class Setting:
    """A stack's part of a configuration, resolved.

    Attributes:
        spec: what the core trains, for runs without weight decay.
        prepared: the data.
        init: the initializer, `auto` resolved.
        prior_loss: loss of the best output that does not depend on the input, in the loss's unit.
        identity: canonical text of everything above.
        columns: values of the stored row that all runs of the setting share.
    """

    spec: StackSpec
    prepared: Prepared
    init: str
    prior_loss: float
    identity: str
    columns: Mapping[str, Any]


# Thousands of cells share a few settings, which take much longer to resolve than to find.
_SETTINGS: dict[tuple[Any, ...], Setting] = {}


def setting_of(config: Mapping[str, Any]) -> Setting:
    """Return a stack's part, resolved; the same object for the same part."""
    key = (
        *[config[name] for name in SHARED_SCALARS],
        repr([config[name] for name in SHARED_NESTED]),
        datasets.stamp(config["data"]["path"]),
    )
    try:
        return _SETTINGS[key]
    except KeyError:
        return _SETTINGS.setdefault(key, _resolved_setting(config))
    except TypeError:  # a list where a name or number belongs: the rules will say so
        return _resolved_setting(config)


def _resolved_setting(config: Mapping[str, Any]) -> Setting:
    check_names(config)
    check_rules(config, SHARED_RULES)
    hidden = _hidden(config["depth"], config["width"])
    prepared, loss, output = _data_and_loss(config)
    sizes = (len(prepared.X), *hidden, len(prepared.Y))
    if (parameters := count_parameters(sizes, bias=True)) > MOST_PARAMETERS:
        raise BadInput(
            f"`width` must make networks of at most {MOST_PARAMETERS} parameters; got "
            f"{shown(config['width'])}, which makes {parameters}."
        )
    samples = prepared.X.shape[1]
    try:
        spec = StackSpec(
            sizes=sizes,
            activation=config["activation"],
            output=output,
            loss=loss,
            reduction=config["reduction"],
            bias=_flag("bias", config["bias"]),
            dtype=config["dtype"],
            optimizer=config["optimizer"],
            hyper=_hyper(config),
            batch_size=_batch_size(config["batch_size"], samples),
            epochs=config["epochs"],
            defects=canonical_defects(_names("defects", config["defects"]), len(sizes) - 1),
            probes=_probes(config["probes"]),
            record=epochs_to_record(config["record"], config["epochs"]),
        )
    except ValueError as error:
        raise BadInput(str(error)) from None
    init = config["init"]
    init = ACTIVATIONS[spec.activation].initializer if init == "auto" else init
    identity = json.dumps(
        [ENGINE_VERSION, prepared.digest, prepared.classification, asdict(spec)], sort_keys=True
    )
    prior = _prior_loss(spec, prepared)
    return Setting(spec, prepared, init, prior, identity, _columns(spec, prepared, init, prior))


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"`{key}` must be true or false; got {shown(value)}.")
    return value


def _names(key: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise BadInput(f"`{key}` must be a list, as {key}=[{shown(value)}]; got {shown(value)}.")
    return [str(name) for name in value]


def _hidden(depth: int | None, width: Any) -> tuple[int, ...]:
    good = whole(1)
    widths = width if isinstance(width, list) else [width]
    for value in widths:
        if not good(value):
            raise BadInput(
                f"`width` must be a whole number, 1 or more, or a list of them; got {shown(width)}."
            )
    if not isinstance(width, list):
        return (width,) * (USUAL_DEPTH if depth is None else depth)
    if depth is not None and depth != len(widths):
        raise BadInput(
            f"`width` must list one number for each of depth={depth} layers; got {width}. "
            "Leave depth out, or give one width for all layers."
        )
    return tuple(widths)


def _data_and_loss(config: Mapping[str, Any]) -> tuple[Prepared, str, str]:
    """Choose loss and output for the data, and code the targets as they need them."""
    classes = datasets.raw_classes(config["data"])
    loss, output = config["loss"], config["output"]
    if loss == "auto":
        loss = "softmax_cross_entropy" if classes > 2 else "binary_cross_entropy"
        if output == "softmax":
            loss = "softmax_cross_entropy"
        if not classes or output in ("identity", "relu", "tanh"):
            loss = "squared_error"
    if output == "auto":
        output = USUAL_OUTPUT[loss] if classes or loss != "squared_error" else "identity"
    if not classes and loss != "squared_error":
        raise BadInput(
            f"`loss` must be squared_error for a numeric target; got {loss}. If the numbers are "
            "classes, say data.task=classification."
        )
    one_hot = bool(classes) and "softmax" in (output, loss.partition("_")[0])
    return datasets.prepare(config["data"], one_hot), loss, output


def _hyper(config: Mapping[str, Any]) -> Hyper:
    """Keep the constants the optimizer uses; the others are not part of what a run is."""
    name, usual = config["optimizer"], Hyper()
    beta2 = config["beta2"]
    adaptive = name in ("rmsprop", "adam")
    return Hyper(
        momentum=rounded(config["momentum"])
        if name in ("momentum", "nesterov")
        else usual.momentum,
        beta1=rounded(config["beta1"]) if name == "adam" else usual.beta1,
        beta2=OPTIMIZERS[name].beta2 if beta2 is None or not adaptive else rounded(beta2),
        epsilon=rounded(config["epsilon"]) if adaptive else usual.epsilon,
    )


def _batch_size(value: Any, samples: int) -> int | None:
    if value == "full" or value == samples:
        return None
    if not whole(1)(value) or value > samples:
        raise BadInput(
            f"`batch_size` must be full or a whole number from 1 to {samples}, the number of "
            f"training samples; got {shown(value)}."
        )
    return int(value)


def _probes(value: Any) -> tuple[str, ...]:
    if value in ("usual", "none"):
        return tuple(PROBES) if value == "usual" else ()
    if not isinstance(value, list):
        raise BadInput(
            f"`probes` must be usual, none or a list of {', '.join(PROBES)}; got {shown(value)}."
        )
    for name in value:
        if name not in PROBES:
            raise BadInput(one_of("probes", name, PROBES))
    return tuple(name for name in PROBES if name in value)


# Outputs a unit can give, for the constant that fits the targets best.
_RANGES = {"sigmoid": (0.0, 1.0), "relu": (0.0, np.inf), "tanh": (-1.0, 1.0)}


def _prior_loss(spec: StackSpec, prepared: Prepared) -> float:
    """Return the loss of the best constant output: of classes, the entropy of their shares.

    NaN where there is no closed form: targets that no output of this unit can stand for.
    """
    Y, mean = prepared.Y, prepared.Y.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if spec.loss == "squared_error":
            best = np.clip(mean, *_RANGES.get(spec.output, (-np.inf, np.inf)))
            if spec.output == "softmax" and not np.isclose(mean.sum(), 1):
                best = mean * np.nan
            a_sample = 0.5 * np.sum(np.mean((Y - best[:, None]) ** 2, axis=1))
        elif np.any((mean < 0) | (mean > 1)):
            a_sample = np.nan
        elif spec.loss == "binary_cross_entropy":
            # 0 log 0 is 0.
            a_sample = -np.nansum([mean * np.log(mean), (1 - mean) * np.log(1 - mean)])
        elif spec.output == "sigmoid":
            a_sample = 0.0  # one sigmoid a class may say 1 to all of them: -y log 1
        else:
            a_sample = -np.nansum(mean * np.log(mean / mean.sum()))
    return float(a_sample) * (Y.shape[1] if spec.reduction == "sum" else 1)


def _columns(spec: StackSpec, prepared: Prepared, init: str, prior: float) -> dict[str, Any]:
    hidden = spec.sizes[1:-1]
    alike = len(set(hidden)) <= 1
    columns = {f.name: getattr(spec, f.name) for f in fields(spec)}
    for name in ("sizes", "hyper", "record", "probes", "decays"):
        del columns[name]
    return columns | {
        "depth": len(hidden),
        "width": "-".join(map(str, hidden[:1] if alike else hidden)),
        "init": init,
        "defects": list(spec.defects),
        "data": prepared.name,
        "data_digest": prepared.digest,
        "samples": prepared.X.shape[1],
        "samples_test": prepared.X_test.shape[1],
        "classes": len(prepared.classes),
        "n_in": spec.sizes[0],
        "n_out": spec.sizes[-1],
        "prior_loss": None if np.isnan(prior) else prior,
        **asdict(spec.hyper),
    }
