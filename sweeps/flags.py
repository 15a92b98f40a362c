"""The flags of train.py, which are Hydra's, told from overrides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sweeps.helptext import respelled

# Hydra's flags, as the argparse parser of Hydra 1.3 declares them.
SHORT_FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "-h": "--help",
        "-m": "--multirun",
        "-c": "--cfg",
        "-r": "--run",
        "-p": "--package",
        "-i": "--info",
        "-sc": "--shell-completion",
        "-cp": "--config-path",
        "-cn": "--config-name",
        "-cd": "--config-dir",
    }
)
FLAGS_WITH_VALUE = frozenset(
    {"--cfg", "--package", "--config-path", "--config-name", "--config-dir", "--experimental-rerun"}
)
FLAGS = FLAGS_WITH_VALUE | {"--hydra-help", "--version", "--resolve", *SHORT_FLAGS.values()}
INFO_TOPICS = frozenset({"all", "config", "defaults", "defaults-tree", "plugins", "searchpath"})
UNCHECKED = frozenset({"--hydra-help", "--version", "--shell-completion", "--experimental-rerun"})
ONE_CONFIGURATION = ("--cfg", "--info", "--run")
# A flag that is none of Hydra's, and the words behind it.
Dashed = tuple[str, list[str]]


def split(argv: Sequence[str]) -> tuple[list[str], dict[str, str], list[str], list[Dashed]]:
    """Separate flags from overrides.

    Returns:
        The flags as typed; Hydra's among them as long name to value; the overrides; and the
        flags that are none of Hydra's, each with the words behind it.
    """
    flags: list[str] = []
    given: dict[str, str] = {}
    words: list[str] = []
    dashed: list[Dashed] = []
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        if token == "--":  # noqa: S105 - what follows are overrides, whatever they look like
            words += rest
            break
        if not re.match(r"-[^\d.]", token):
            words.append(token)
            continue
        typed, equals, value = token.partition("=")
        flag = long_name(typed)
        if flag is None:
            dashed.append((token, list(rest)))
        takes_next = flag in FLAGS_WITH_VALUE or (flag == "--info" and INFO_TOPICS & {*rest[:1]})
        following = [rest.pop(0)] if takes_next and rest and not equals else []
        if flag == "--info" and not following and not equals:
            token = "--info=all"  # noqa: S105 - left bare, it takes the first override for a topic
        given[flag or typed] = value or "".join(following)
        flags += [token, *following]
    return flags, given, words, dashed


def long_name(typed: str) -> str | None:
    """Resolve a short or shortened flag the way argparse does; None for no flag of Hydra's.

    A key is no shortened flag: argparse would take `--experiment` for `--experimental-rerun`.
    """
    if typed in SHORT_FLAGS or typed in FLAGS:
        return SHORT_FLAGS.get(typed, typed)
    if not typed.startswith("--") or respelled(typed.lstrip("-")):
        return None
    fitting = [flag for flag in FLAGS if flag.startswith(typed)]
    return fitting[0] if len(fitting) == 1 else None
