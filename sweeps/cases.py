"""Cases: forum posts as experiments whose axes are factors.

A factor is a suspected cause, a toggle between two named bundles of overrides: as `posted`, or
`mended`. A case also names its data sets and settings, bundles too. Which of them a cell has is
said by plain keys of the configuration, so that Hydra's own ways of sweeping work on them:

    case.data=moons case.factors.init.level=posted,mended

`applied` puts the chosen bundles into a cell's configuration; what a run is follows from the result
alone, so a run of a case is the same run as one asked for by its keys.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from sweeps.config import CaseConfig
from sweeps.errors import BadInput, one_of

LEVELS = ("posted", "mended")
# Names become keys and values of overrides, and names of files.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a case leaves alone, as verdicts are made of all probes of all cells.
LEFT_ALONE: Mapping[str, Any] = {"probes": "usual", "only": None, "zip": [], "plan": False}
FOLDERS = ("forum", "forum-quick")  # of reports/, where the pages of the posts lie


def axes(case: Mapping[str, Any]) -> list[str]:
    """Return the axes of a case's full factorial as texts of overrides.

    >>> axes({"datasets": {"xor": {}, "moons": {}}, "settings": {}, "factors": {"init": {}}})
    ['case.data=xor,moons', 'case.factors.init.level=posted,mended']
    """
    named = {"data": case["datasets"], "setting": case["settings"]}
    texts = [f"case.{key}={','.join(bundles)}" for key, bundles in named.items() if bundles]
    return texts + [f"case.factors.{name}.level={','.join(LEVELS)}" for name in case["factors"]]


def applied(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a cell's configuration with its case's bundles put in; one without a case unchanged.

    Bundles come in the order data, setting, factors as the file lists them; a later one wins,
    except that defects add up.

    Raises:
        BadInput: no such bundle, or a bundle sets a key that is none.
    """
    case = config.get("case")
    if not case:
        return config
    merged = dict(config)
    for where, bundle in _chosen(case):
        merged = _merged(merged, bundle, where)
    return merged


def _chosen(case: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and return the bundles of a cell."""
    bundles = []
    for key, named in (("data", case["datasets"]), ("setting", case["settings"])):
        name = case[key] if case[key] is not None else next(iter(named), None)
        if name is None:
            continue
        if name not in named:
            raise BadInput(one_of(f"case.{key}", name, named))
        bundles.append((f"case.{key}={name}", named[name]))
    for name, factor in case["factors"].items():
        key = f"case.factors.{name}.level"
        if factor["level"] not in LEVELS:
            raise BadInput(one_of(key, factor["level"], LEVELS))
        bundles.append((f"{key}={factor['level']}", factor[factor["level"]]))
    return bundles


def _merged(config: Mapping[str, Any], bundle: Mapping[str, Any], where: str) -> dict[str, Any]:
    merged = dict(config)
    for key, value in (bundle or {}).items():
        if key not in config or key == "case":
            raise BadInput(f"A bundle of {where} must set keys of a run; got {key}.")
        if isinstance(value, Mapping):
            merged[key] = _merged(merged[key], value, where)
        elif key == "defects":
            merged[key] = [*merged[key], *value]
        else:
            merged[key] = copy.copy(value)
    return merged


def problems(case: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with a case as data, a sentence each."""
    found = [
        f"`case.{part}` must have at least one entry; got none. docs/cases.md shows a whole case."
        for part in ("datasets", "scenarios")
        if not case[part]
    ]
    found += [
        f"`case.{part}` must have names of letters, digits and _, no digit first; got {name}."
        for part in ("datasets", "settings", "factors", "scenarios")
        for name in case[part]
        if not NAME.fullmatch(name)
    ]
    return found + _foreign(case)


def _foreign(case: Mapping[str, Any]) -> list[str]:
    """Say which names are none of the case's own."""
    found = []
    factors, settings = case["factors"], case["settings"]
    for name, scenario in case["scenarios"].items():
        strange = [f for f in scenario["posted"] or () if f not in factors]
        found += [one_of(f"case.scenarios.{name}.posted", f, factors) for f in strange]
        if scenario["setting"] is not None and scenario["setting"] not in settings:
            found.append(one_of(f"case.scenarios.{name}.setting", scenario["setting"], settings))
    for at, claim in enumerate(case["claims"]):
        strange = [f for f in claim["factors"] if f not in factors]
        found += [one_of(f"case.claims.{at}.factors", f, factors) for f in strange]
        strange = [s for s in claim["scenarios"] if s not in case["scenarios"]]
        found += [one_of(f"case.claims.{at}.scenarios", s, case["scenarios"]) for s in strange]
    return found


def _touched(given: Mapping[str, Any], case: Mapping[str, Any]) -> list[str]:
    """Say which keys a case's file sets, itself or in a bundle, that it must leave alone."""
    return [
        f"`{key}` must be {LEFT_ALONE[key]} in a case, as verdicts are made of all probes of all "
        f"cells; got {value}. Leave it out."
        for bundle in (given, *_bundles(case))
        for key, value in (bundle or {}).items()
        if key in LEFT_ALONE and value != LEFT_ALONE[key]
    ]


def _bundles(case: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from case["datasets"].values()
    yield from case["settings"].values()
    for factor in case["factors"].values():
        yield from (factor[level] for level in LEVELS)


def load(conf: Path, name: str) -> dict[str, Any]:
    """Read a case from `conf/case/NAME.yaml`, with everything it leaves out filled in.

    Raises:
        BadInput: there is no such case, or its parts do not fit together.
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from sweeps.refusals import explain

    path = conf / "case" / f"{name}.yaml"
    names = sorted(file.stem for file in path.parent.glob("*.yaml"))
    if name not in names:
        raise BadInput(one_of("case", name, names))
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        part = given["case"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} must be a YAML file with a part `case`; got {type(error).__name__}: {error}."
        ) from error
    if not isinstance(part, Mapping):
        raise BadInput(f"{path} must be a YAML file with a part `case` of keys; got case: {part}.")
    try:
        case = OmegaConf.merge(OmegaConf.structured(CaseConfig), part)
    except OmegaConfBaseException as error:
        raise BadInput(f"{path.name} must be a case; got {explain(error)}") from error
    plain = cast("dict[str, Any]", OmegaConf.to_container(case))
    if found := problems(plain) + _touched(given, plain):
        raise BadInput("\n".join(found))
    return plain
