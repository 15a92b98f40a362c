"""From a composed configuration to runs of the core: defaults filled in, values checked, identity.

A run is known by what it is after resolving: `output=auto` and `output=softmax` are one run where
they mean the same. Floats are rounded to 12 significant digits *before* training, so that equal
identities mean equal bits.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from bpcore import ENGINE_VERSION, Data, Hyper, RunSpec, StackSpec, epochs_to_record
from bpcore.activations import ACTIVATIONS
from bpcore.defects import canonical_defects
from bpcore.initializers import INITIALIZERS
from bpcore.losses import LOSSES, OUTPUTS, USUAL_OUTPUT
from bpcore.optimizers import OPTIMIZERS
from bpcore.probes import PROBES
from bpcore.spec import DTYPES, REDUCTIONS
from bpcore.stack import count_parameters
from sweeps import datasets
from sweeps.config import LAYERS_WITH_FACTORS
from sweeps.datasets import Prepared
from sweeps.errors import BadInput, one_of

DIGITS = 12
USUAL_DEPTH = 2
# Beyond these a number is a slip of the finger, which would end in a lack of memory.
DEEPEST, MOST_RUNS, MOST_PARAMETERS = 10_000, 10_000_000, 100_000_000

# Keys that take one name of a table, and whether `auto` is one.
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activation": tuple(ACTIVATIONS),
        "init": ("auto", *INITIALIZERS),
        "optimizer": tuple(OPTIMIZERS),
        "loss": ("auto", *LOSSES),
        "reduction": REDUCTIONS,
        "output": ("auto", *OUTPUTS),
        "dtype": DTYPES,
    }
)


def _whole(least: int, most: int = 2**63 - 1) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    )


def _number(test: Callable[[float], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and test(value)
    )


_FINITE = (_number(lambda _: True), "a finite number")
_AT_LEAST_0 = (_number(lambda x: x >= 0), "a finite number, 0 or more")
_BELOW_1 = (_number(lambda x: 0 <= x < 1), "a number from 0 up to, but not including, 1")

# Rules of single values: of what the runs of a stack share, and of each run.
Rule = tuple[Callable[[Any], bool], str]
SHARED_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "depth": (_whole(0, DEEPEST), f"a whole number from 0 to {DEEPEST}"),
        # The store keeps epochs in 32 bits.
        "epochs": (_whole(0, 2**31 - 1), f"a whole number from 0 to {2**31 - 1}"),
        "momentum": _BELOW_1,
        "beta1": _BELOW_1,
        "beta2": _BELOW_1,
        "epsilon": _AT_LEAST_0,
    }
)
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "seed": (_whole(0), f"a whole number from 0 to {2**63 - 1}"),
        "replicates": (_whole(1, MOST_RUNS), f"a whole number from 1 to {MOST_RUNS}"),
        "jobs": (_whole(0), "a whole number, 0 or more; 0 means one a core"),
        "lr": _AT_LEAST_0,
        "init_scale": _AT_LEAST_0,
        "bias_scale": _AT_LEAST_0,
        "weight_decay": _AT_LEAST_0,
        "init_low": _FINITE,
        "init_high": _FINITE,
    }
)
NULLABLE = ("depth", "beta2")
LISTS = ("scale_factor", "lr_factor")
_ONES = [1.0] * LAYERS_WITH_FACTORS

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


@dataclass(frozen=True)
class Run:
    """One run: what the core needs, what the store keeps, and its identity (32 hex digits)."""

    id: str
    spec: StackSpec
    run: RunSpec
    setting: Setting


def rounded(value: float) -> float:
    """Round to 12 significant digits, so that 0.30000000000000004 and 0.3 are one value."""
    return float(f"{value:.{DIGITS}g}")


def resolve(config: Mapping[str, Any]) -> list[Run]:
    """Turn one cell's configuration into its runs, one a replicate.

    Raises:
        BadInput: a value breaks its rule; the sentence names key, rule and value.
    """
    _check_values(config)
    setting = _setting(config)
    first = _run_spec(config, setting)
    try:
        spec = replace(setting.spec, decays=True) if first.weight_decay else setting.spec
    except ValueError as error:
        raise BadInput(str(error)) from None
    identity = f"{setting.identity} {json.dumps(_without_replicate(first), sort_keys=True)} "
    runs = []
    for replicate in range(config["replicates"]):
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


def _check_values(config: Mapping[str, Any]) -> None:
    _check_rules(config, RULES)
    if config["init_low"] > config["init_high"]:
        raise BadInput(
            f"`init_low` must not be above init_high={config['init_high']}; "
            f"got {config['init_low']}."
        )
    for key in LISTS:
        if config[key] == _ONES:
            continue
        for number, factor in enumerate(config[key], start=1):
            if not _AT_LEAST_0[0](factor):
                raise BadInput(
                    f"`{key}` must list finite numbers, 0 or more; got {factor} for layer {number}."
                )


def _check_rules(config: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    for key, (holds, rule) in rules.items():
        value = config[key]
        if not (holds(value) or (value is None and key in NULLABLE)):
            raise BadInput(f"`{key}` must be {rule}; got {_shown(value)}.")


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _run_spec(config: Mapping[str, Any], setting: Setting) -> RunSpec:
    layers = setting.spec.layers
    uniform = setting.init == "uniform"
    return RunSpec(
        seed=config["seed"],
        lr=rounded(config["lr"]),
        lr_factor=_factors(config, "lr_factor", layers),
        init=setting.init,
        init_scale=rounded(config["init_scale"]),
        scale_factor=_factors(config, "scale_factor", layers),
        # What is not used is not part of what a run is.
        init_low=rounded(config["init_low"]) if uniform else -1.0,
        init_high=rounded(config["init_high"]) if uniform else 1.0,
        bias_scale=rounded(config["bias_scale"]) if setting.spec.bias else 0.0,
        weight_decay=rounded(config["weight_decay"]),
    )


def _factors(config: Mapping[str, Any], key: str, layers: int) -> tuple[float, ...]:
    if config[key] == _ONES:
        return (1.0,) * layers
    given = [rounded(value) for value in config[key]]
    if any(value != 1 for value in given[layers:]):
        raise BadInput(
            f"`{key}` must have a factor for each of the {layers} layers at most; got "
            f"{len(given)} with {given[layers:]} for layers that are not there. "
            f"Elements count from 0: {key}.0 is the factor of layer 1."
        )
    return (*given[:layers], *[1.0] * (layers - len(given)))


# Thousands of cells share a few settings, which take much longer to resolve than to find.
_SETTINGS: dict[tuple[Any, ...], Setting] = {}


def _setting(config: Mapping[str, Any]) -> Setting:
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
    for name, options in NAMES.items():
        if config[name] not in options:
            raise BadInput(one_of(name, config[name], options))
    _check_rules(config, SHARED_RULES)
    hidden = _hidden(config["depth"], config["width"])
    prepared, loss, output = _data_and_loss(config)
    sizes = (len(prepared.X), *hidden, len(prepared.Y))
    if (parameters := count_parameters(sizes, bias=True)) > MOST_PARAMETERS:
        raise BadInput(
            f"`width` must make networks of at most {MOST_PARAMETERS} parameters; got "
            f"{_shown(config['width'])}, which makes {parameters}."
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
        raise BadInput(f"`{key}` must be true or false; got {_shown(value)}.")
    return value


def _names(key: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise BadInput(f"`{key}` must be a list, as {key}=[{_shown(value)}]; got {_shown(value)}.")
    return [str(name) for name in value]


def _hidden(depth: int | None, width: Any) -> tuple[int, ...]:
    good = _whole(1)
    widths = width if isinstance(width, list) else [width]
    for value in widths:
        if not good(value):
            raise BadInput(
                "`width` must be a whole number, 1 or more, or a list of them; "
                f"got {_shown(width)}."
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
    if not _whole(1)(value) or value > samples:
        raise BadInput(
            f"`batch_size` must be full or a whole number from 1 to {samples}, the number of "
            f"training samples; got {_shown(value)}."
        )
    return int(value)


def _probes(value: Any) -> tuple[str, ...]:
    if value in ("usual", "none"):
        return tuple(PROBES) if value == "usual" else ()
    if not isinstance(value, list):
        raise BadInput(
            f"`probes` must be usual, none or a list of {', '.join(PROBES)}; got {_shown(value)}."
        )
    for name in value:
        if name not in PROBES:
            raise BadInput(one_of("probes", name, PROBES))
    return tuple(name for name in PROBES if name in value)


def _prior_loss(spec: StackSpec, prepared: Prepared) -> float:
    """Return the loss of the best constant output: of classes, the entropy of their shares."""
    Y, share = prepared.Y, prepared.Y.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # 0 log 0 is 0. One sigmoid a class may say 1 to all of them: -y log 1 is 0.
        a_sample = {
            "squared_error": 0.5 * np.sum(np.var(Y, axis=1)),
            "binary_cross_entropy": -np.nansum(
                [share * np.log(share), (1 - share) * np.log(1 - share)]
            ),
            "softmax_cross_entropy": (
                0.0 if spec.output == "sigmoid" else -np.nansum(share * np.log(share))
            ),
        }[spec.loss]
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
        "n_in": spec.sizes[0],
        "n_out": spec.sizes[-1],
        "prior_loss": prior,
        **asdict(spec.hyper),
    }


def core_data(prepared: Prepared) -> Data:
    """Hand prepared data to the core."""
    midpoint = prepared.midpoint if prepared.classification else None
    return Data(prepared.X, prepared.Y, prepared.X_test, prepared.Y_test, midpoint)
