"""Hydra's and OmegaConf's refusals, said in one sentence that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Union, get_args, get_origin

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from sweeps.errors import nearest, one_of

_NAMES = {float: "number", int: "whole number", bool: "truth value", str: "text"}


def explain(error: Exception) -> str:
    """Say in one sentence why a configuration could not be composed.

    Hydra's own texts run over several lines and advise `+key`, which would pass a typo.
    """
    if isinstance(error, MissingConfigException):
        return _no_option(error)
    if isinstance(error, OverrideParseException):
        return f"`{error.override}` cannot be read: {_first_line(error)}."
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        merged = re.match(r"Error merging override (.*)", str(error), re.DOTALL)
        if merged:
            return misfit(merged[1], _root(cause), cause)
        unknown = re.match(r"Could not override '(.*?)'\.", str(error))
        if unknown and isinstance(cause, ConfigKeyError | ConfigAttributeError):
            return no_key(_full_key(unknown[1], cause), _root(cause))
        return f"{_first_line(error) or _first_line(cause)}."
    return f"{_first_line(error)}."


def misfit(text: str, config: Any, error: Exception) -> str:
    """Say that the value in the override `text` is not what its key takes."""
    key, _, value = text.lstrip("+").partition("=")
    expected = _expected(config, key)
    if expected is None:
        return f"`{key}` cannot be {value or 'empty'}: {_first_line(error)}."
    return f"`{key}` must be {expected}; got {value or 'nothing'}."


def no_key(key: str, config: Any) -> str:
    """Say that `key` is not in the configuration, with the keys that are beside it."""
    parent, known = "", config
    for part in key.split(".")[:-1]:
        child = OmegaConf.select(known, part) if isinstance(known, DictConfig) else None
        if not isinstance(child, DictConfig):
            break
        parent, known = f"{parent}{part}.", child
    listed = [f"{parent}{name}" for name in known if name != "hydra"]
    if not listed or key in listed:
        return f"`{key}` is no key of the configuration."
    guess = nearest(key, listed)
    hint = f" Did you mean {guess}?" if guess else ""
    return f"`{key}` is no key of the configuration, which has {', '.join(listed)}.{hint}"


def _full_key(key: str, error: OmegaConfBaseException) -> str:
    """Return the key within the mapping given to `key` that is not known, if that is the fault."""
    full = str(error.full_key or "")
    return full if full.startswith(f"{key}.") else key


def _no_option(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    if group and error.options:
        return one_of(group, name, error.options)
    if group:
        return f"`{group}` must be the name of a file in conf/{group}; got {name}."
    return f"{_first_line(error)}."


def _first_line(error: BaseException) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next((line.rstrip(".") for line in lines if line), "")


def _root(error: OmegaConfBaseException) -> Any:
    """Return the whole configuration an error of OmegaConf arose in."""
    node = error.parent_node
    return node._get_root() if node is not None else OmegaConf.create()


def _expected(config: Any, key: str) -> str | None:
    """Say what the schema lets `key` be, or None where it does not say."""
    above, _, last = key.rpartition(".")
    parent = OmegaConf.select(config, above) if above else config
    node: Any = None
    if isinstance(parent, DictConfig):
        node = parent._get_node(last)
    elif isinstance(parent, ListConfig) and last.isdigit() and int(last) < len(list(parent)):
        node = parent._get_node(int(last))
    return None if node is None else _in_words(node._metadata.type_hint)


def _in_words(hint: Any) -> str | None:
    options = [option for option in _options(hint) if option is not type(None)]
    words = [_word(option) for option in options]
    if not words or None in words:
        return None
    null = [] if len(options) == len(_options(hint)) else ["null"]
    return " or ".join([*filter(None, words), *null])


def _options(hint: Any) -> Sequence[Any]:
    return get_args(hint) if get_origin(hint) is Union else (hint,)


def _word(hint: Any) -> str | None:
    if get_origin(hint) is list:
        item = _NAMES.get(get_args(hint)[0])
        return f"a list of {item}s" if item else "a list"
    if hint is bool:
        return "true or false"
    return f"a {_NAMES[hint]}" if hint in _NAMES else None
