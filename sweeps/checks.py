"""What single values must be, before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from bpcore.activations import ACTIVATIONS
from bpcore.initializers import INITIALIZERS
from bpcore.losses import LOSSES, OUTPUTS
from bpcore.optimizers import OPTIMIZERS
from bpcore.spec import DTYPES, REDUCTIONS
from sweeps.config import LAYERS_WITH_FACTORS
from sweeps.errors import BadInput, one_of

DIGITS = 12
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


def whole(least: int, most: int = 2**63 - 1) -> Callable[[Any], bool]:
    """Return a test for whole numbers between two."""
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
        "depth": (whole(0, DEEPEST), f"a whole number from 0 to {DEEPEST}"),
        # The store keeps epochs in 32 bits.
        "epochs": (whole(0, 2**31 - 1), f"a whole number from 0 to {2**31 - 1}"),
        "momentum": _BELOW_1,
        "beta1": _BELOW_1,
        "beta2": _BELOW_1,
        "epsilon": _AT_LEAST_0,
    }
)
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        # Beyond 32 bits, seeds and replicates would run into each other in the seed sequence.
        "seed": (whole(0, 2**32 - 1), f"a whole number from 0 to {2**32 - 1}"),
        "first_replicate": (whole(0, MOST_RUNS), f"a whole number from 0 to {MOST_RUNS}"),
        "replicates": (whole(1, MOST_RUNS), f"a whole number from 1 to {MOST_RUNS}"),
        "jobs": (whole(0), "a whole number, 0 or more; 0 means one a core"),
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
ONES = [1.0] * LAYERS_WITH_FACTORS


def rounded(value: float) -> float:
    """Round to 12 significant digits, so that 0.30000000000000004 and 0.3 are one value."""
    return float(f"{value:.{DIGITS}g}") + 0.0  # -0.0 is 0.0


def check_names(config: Mapping[str, Any]) -> None:
    """Raise BadInput for a name that is in no table."""
    for name, options in NAMES.items():
        if config[name] not in options:
            raise BadInput(one_of(name, config[name], options))


def check_run(config: Mapping[str, Any]) -> None:
    """Check what each run has for itself; raise BadInput naming key, rule and value."""
    check_rules(config, RULES)
    if config["init_low"] > config["init_high"]:
        raise BadInput(
            f"`init_low` must not be above init_high={config['init_high']}; "
            f"got {config['init_low']}."
        )
    for key in LISTS:
        if config[key] == ONES:
            continue
        for number, factor in enumerate(config[key], start=1):
            if not _AT_LEAST_0[0](factor):
                raise BadInput(
                    f"`{key}` must list finite numbers, 0 or more; got {factor} for layer {number}."
                )


def check_rules(config: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Check the values of some keys; raise BadInput naming key, rule and value."""
    for key, (holds, rule) in rules.items():
        value = config[key]
        if not (holds(value) or (value is None and key in NULLABLE)):
            raise BadInput(f"`{key}` must be {rule}; got {shown(value)}.")


def shown(value: Any) -> str:
    """Spell a value as one would type it."""
    return "null" if value is None else str(value)
