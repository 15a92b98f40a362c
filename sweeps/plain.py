"""Plain values: which overrides only change one, and how it is set without composing anew."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from sweeps.refusals import misfit

# What Hydra and OmegaConf raise for input they refuse; ValueError and AssertionError are theirs
# too, for data=3 and lr_factor.x=1.
REFUSED = (HydraException, OmegaConfBaseException, ValueError, AssertionError)
_Path = tuple[str | int, ...]
_ABSENT = object()
_NUMBER = re.compile(
    r"([A-Za-z_]\w*(?:\.(?:[A-Za-z_]\w*|0|[1-9][0-9]*))*)="
    r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?(e[+-]?[0-9]+)?",
    re.ASCII,
)
# Links whose value follows from the configuration, or from what is the same for all jobs.
_SIMPLE_LINK = re.compile(r"\$\{\.*[A-Za-z_][\w.\[\]]*\}|\$\{oc\.env:[^${}]*\}", re.ASCII)


@dataclass(frozen=True)
class Part:
    """One override text, parsed.

    Attributes:
        text: The text as given.
        key: The key or group it sets, with its package if it names one.
        value: The parsed value; None for a deletion.
        plain: Whether it changes a value and nothing else, as far as the text alone tells.
    """

    text: str
    key: str
    value: Any
    plain: bool


@functools.lru_cache(maxsize=1 << 17)
def part_of(text: str) -> Part:
    """Parse one override text; one that Hydra cannot parse is not plain."""
    number = _NUMBER.fullmatch(text)
    if number:  # as Hydra's parser would, without its half a millisecond
        key, digits, *fraction = number.groups(default="")
        value = float(digits + "".join(fraction)) if any(fraction) else int(digits)
        return Part(text, key, value, plain=not key.startswith("hydra."))
    try:
        override = _parser().parse_overrides([text])[0]
    except HydraException:
        key, _, rest = text.partition("=")
        return Part(text, key, rest, plain=False)
    key = override.key_or_group + (f"@{override.package}" if override.package else "")
    if override.is_sweep_override():
        return Part(text, key, override.get_value_string(), plain=False)
    plain = (
        override.type is OverrideType.CHANGE
        and override.value_type is ValueType.ELEMENT
        and re.fullmatch(r"[\w.-]+", key) is not None
        and not key.startswith("hydra.")
        and "$" not in text  # a link
        and "???" not in text  # a missing value
        and not _holds_mapping(override.value())
    )
    return Part(text, key, override.value(), plain)


@functools.cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def _holds_mapping(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_holds_mapping, value))
    return isinstance(value, dict)


def on_one_path(one: str, other: str) -> bool:
    """Tell whether one key is the other or lies below it, so that their order matters."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return the task's part of a composed configuration as plain containers, links resolved.

    As when Hydra runs a job: `${hydra:...}` reads the job's `hydra` node, `${hydra.x}` fails.
    """
    task = _task(config)
    instance = HydraConfig.instance()
    before = instance.cfg
    instance.set_config(config)
    try:
        return cast(dict[str, Any], OmegaConf.to_container(task, resolve=True))
    finally:
        instance.cfg = before


def _task(config: DictConfig) -> DictConfig:
    task = copy.deepcopy(config)
    with read_write(task), open_dict(task):
        del task["hydra"]
    return task


class Composition:
    """What Hydra composed of the structural overrides alone, on which plain values are set.

    Attributes:
        groups: The config groups it was chosen from.
        config: The task's part, with its types; to be read only.
        links: Where it holds links (interpolations).
        opaque: Whether a resolver, or a link within a link, makes them unpredictable.
    """

    def __init__(self, config: DictConfig) -> None:
        self.groups = frozenset(map(str, config.hydra.runtime.choices))
        self.config = _task(config)
        self._raw = OmegaConf.to_container(self.config, resolve=False)
        links = dict(_links(self._raw, ()))
        self.links = list(links)
        self.opaque = any("${" in _SIMPLE_LINK.sub("", text) for text in links.values())
        self._resolved = {} if self.opaque else resolved(config)
        self._scratch = copy.deepcopy(self.config)
        self._converted: dict[str, tuple[_Path, Any] | str] = {}

    def has(self, key: str) -> bool:
        """Tell whether the key exists, so far as links let it be seen."""
        return _find(self._raw, key) is not _ABSENT

    def is_inner(self, key: str) -> bool:
        """Tell whether the key holds a mapping, or holds or lies behind a link."""
        found = _find(self._raw, key)
        return isinstance(found, dict) or _is_link(found)

    def configure(self, jobs: Sequence[Sequence[Part]]) -> Iterator[dict[str, Any] | str | None]:
        """Set each job's plain values; all jobs must set the same keys.

        Yields:
            The job's configuration, its top level its own and the rest shared; or the sentence
            why a value does not fit; or None where a link does not resolve.
        """
        # Links are resolved on this copy: each job sets all keys of the job before it.
        work = copy.deepcopy(self.config) if self.links else None
        for parts in jobs:
            config = self._set(parts)
            if work is None or isinstance(config, str):
                yield config
            else:
                yield config if self._relink(config, parts, work) else None

    def _set(self, parts: Sequence[Part]) -> dict[str, Any] | str:
        config = dict(self._resolved)
        for part in parts:
            converted = self._converted.get(part.text)
            if converted is None:
                converted = self._converted[part.text] = self._convert(part)
            if isinstance(converted, str):
                return converted
            _put(config, *converted)
        return config

    def _convert(self, part: Part) -> tuple[_Path, Any] | str:
        """Set one value on the real node, once, for the schema's conversion or its refusal."""
        config = self._scratch
        if isinstance(part.value, list) or isinstance(_find(self._raw, part.key), list):
            config = copy.deepcopy(self.config)  # the node itself may change
        try:
            OmegaConf.update(config, part.key, part.value)
        except REFUSED as error:
            return misfit(part.text, self.config, error)
        return _path(self._raw, part.key), _contained(OmegaConf.select(config, part.key))

    def _relink(self, config: dict[str, Any], parts: Sequence[Part], work: DictConfig) -> bool:
        try:
            for part in parts:
                OmegaConf.update(work, part.key, part.value)
            for *above, last in self.links:
                node: Any = work
                for step in above:
                    node = node[step]
                _put(config, (*above, last), _contained(node[last]))
        except REFUSED:
            return False
        return True


def _contained(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _is_link(value: object) -> bool:
    return isinstance(value, str) and "${" in value


def _links(node: Any, above: _Path) -> Iterator[tuple[_Path, str]]:
    """Yield the path and text of each link in a container whose links are not resolved."""
    if _is_link(node):
        yield above, node
    elif isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for step, child in items:
            yield from _links(child, (*above, step))


def _find(node: Any, key: str) -> Any:
    """Return what stands at a dotted key, the first link on the way there, or `_ABSENT`."""
    for step in key.split("."):
        if _is_link(node):
            break
        if isinstance(node, dict) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return _ABSENT
    return node


def _path(node: Any, key: str) -> _Path:
    """Split a dotted key that exists into the steps towards it, whole numbers within lists."""
    path: list[str | int] = []
    for name in key.split("."):
        step: str | int = int(name) if isinstance(node, list) else name
        path.append(step)
        node = node[step]
    return tuple(path)


def _put(config: dict[str, Any], path: _Path, value: Any) -> None:
    """Set a value without changing the containers on its path that other cells share."""
    node: Any = config
    for step in path[:-1]:
        node[step] = copy.copy(node[step])
        node = node[step]
    node[path[-1]] = value
