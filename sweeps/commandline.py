"""Read the command line of train.py before Hydra does, and say what is wrong with it in a sentence.

Hydra answers a mistyped key with the advice to add it by `+`, which trains the wrong thing; it
prints several lines for a missing quote and cannot expand `log:`. So keys, group choices and
grammar are checked here. Types and values are the schema's business, `hydra.*` is Hydra's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sweeps.flags import ONE_CONFIGURATION, UNCHECKED, long_name, split
from sweeps.helptext import GROUPS, WHOLE_SWEEPS, group_options, help_text, is_key
from sweeps.mistyped import bare, malformed, refuse_dashes, unknown
from sweeps.overrides import Options, Word, check_value, first_good
from sweeps.spelling import bad, for_shell, parse


def prepare(argv: Sequence[str], conf_dir: Path) -> list[str]:
    """Check the arguments of train.py and return those that Hydra is to see.

    Flags come first, because Hydra's parser takes the overrides from one place only; `log:` is
    expanded; `--multirun` is added where a key has several values and nothing says how to run them.

    Args:
        argv: The arguments without the program's name.
        conf_dir: The directory of `config.yaml` and its groups.

    Raises:
        BadInput: An override cannot be used.
        SystemExit: With status 0, after the help was asked for and printed.
    """
    if any(long_name(token) == "--help" for token in argv):
        print(help_text(conf_dir))
        raise SystemExit(0)
    flags, given, texts, dashed = split(argv)
    if given.keys() & UNCHECKED:
        return list(argv)
    words = [Word.read(text) for text in texts]
    options = {group: _options(group, conf_dir, given, words) for group in GROUPS}
    for token, following in dashed:
        refuse_dashes(token, following, options)
    checked = [_checked(word, texts[i + 1 :], options) for i, word in enumerate(words)]
    _check_given_once(words, options)
    _check_sweeper(words)
    swept = [text for text, is_sweep in checked if is_sweep]
    is_chosen = _mode_is_chosen(words)
    _check_one_configuration(given, swept, is_chosen)
    if swept and not is_chosen and "--multirun" not in given:
        flags.append("--multirun")
    return flags + [text for text, _ in checked]


def _mode_is_chosen(words: Sequence[Word]) -> bool:
    """Tell whether an experiment or case (they choose themselves) or the user decides on it."""
    values = {word.key: word.value.strip(" '\"").lower() for word in words}
    return "hydra.mode" in values or any(
        values.get(group, "null") != "null" for group in WHOLE_SWEEPS
    )


def _check_one_configuration(given: Collection[str], swept: Sequence[str], is_chosen: bool) -> None:
    """Refuse a sweep beside a flag that is for one configuration.

    Hydra lets a mode that was chosen elsewhere win over `--run`, but over nothing else.
    """
    for flag in (flag for flag in ONE_CONFIGURATION if flag in given):
        if swept and not (is_chosen and flag == "--run"):
            key = Word.read(swept[0]).key
            hint = f" {flag} is for one configuration: choose one value of {key}."
            raise bad(key, f"have one value beside {flag}", swept[0], hint)
        if "--multirun" in given:
            hint = f" {flag} is for one configuration: leave -m out."
            raise bad(flag, "stand without -m", f"{flag} and -m", hint)


def _check_sweeper(words: Sequence[Word]) -> None:
    """Refuse what only our sweeper understands beside another one, which would ignore it."""
    other = next((word for word in words if word.key == "hydra/sweeper"), None)
    if other is None or other.text.endswith("=bpcore"):
        return
    for word in words:
        if word.key in ("zip", "only"):
            raise bad(word.key, f"be left out with {other.text}", word.text, "")


def _options(
    group: str, conf_dir: Path, given: Mapping[str, str], words: Sequence[Word]
) -> list[str] | None:
    """List the choices of a group; None where Hydra searches in places not known here."""
    if "--config-path" in given or any(word.key == "hydra.searchpath" for word in words):
        return None
    extra = [Path(given["--config-dir"])] if "--config-dir" in given else []
    return sorted({name for folder in (conf_dir, *extra) for name in group_options(folder, group)})


def _check_key(word: Word, options: Options) -> None:
    if not word.key or not (word.has_value or word.prefix == "~"):
        raise bare(word, options)
    if not is_key(word.key):
        raise unknown(word)
    if word.key == "data.name":
        rule = "come with a data set's other settings"
        raise bad(word.key, rule, word.text, f" Write data={word.text.partition('=')[2]}.")
    if word.prefix.startswith("~"):
        hint = f" Leave {word.text} out, or give another value as {word.key}=VALUE."
        raise bad(word.key, "keep a value, since a run needs every key", word.text, hint)


def _check_given_once(words: Sequence[Word], options: Options) -> None:
    """Refuse a key given twice, of which Hydra would silently take the last."""
    given = defaultdict(list)
    for word in words:
        if not word.is_hydras:
            given[word.key].append(word)
    for key, same in given.items():
        if len(same) == 1:
            continue
        hint = " Keep one of them."
        joined = ",".join(dict.fromkeys(word.value for word in same))
        if "," in joined and first_good(key, [joined], options):
            hint = f" Keep one of them, or sweep over all of them: {for_shell(key, joined)}."
        raise bad(key, "be given once", " and ".join(word.text for word in same), hint)


def _checked(word: Word, following: Sequence[str], options: Options) -> tuple[str, bool]:
    """Check an override: its key, its value's grammar, then what `check_value` does."""
    if word.is_hydras:
        return word.text, False
    _check_key(word, options)
    parsed = parse(word.text) if word.value.strip() else None
    if parsed is None:
        raise malformed(word, following, options)
    return check_value(word, parsed, options)
