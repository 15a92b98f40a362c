"""What may be typed: the keys as the schema declares them, their near misses, and the help.

Nothing here imports Hydra, NumPy or pandas: a help that takes a second to come is not asked for.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from sweeps.config import LAYERS_WITH_FACTORS, DataConfig, RunConfig, SweepConfig
from sweeps.errors import nearest

COLUMNS = 100
GROUPS = ("data", "experiment", "case")
# Groups whose files are sweeps by themselves.
WHOLE_SWEEPS = ("experiment", "case")
PER_LAYER = ("scale_factor", "lr_factor")

# A section of the help begins at this key of the schema, so that a new key needs no entry here.
SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "activation": "Network and its initial weights",
        "lr": "Learning",
        "loss": "Loss, output unit, bias, weight decay",
        "seed": "Chance and precision",
        "defects": "Mistakes and measurements",
        "data.name": "Data (a file of conf/data may set other defaults)",
        "replicates": "The sweep as a whole (one value each)",
    }
)

# What people type who know the idea but not our word for it.
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("learning_rate", "eta", "alpha", "step_size", "lrate"), "lr"),
        **dict.fromkeys(("hidden", "hidden_size", "hidden_units", "units", "neurons"), "width"),
        **dict.fromkeys(("layers", "n_layers", "num_layers", "hidden_layers"), "depth"),
        **dict.fromkeys(("iterations", "n_epochs", "num_epochs", "max_iter", "steps"), "epochs"),
        **dict.fromkeys(("batch", "batchsize", "minibatch", "bs"), "batch_size"),
        **dict.fromkeys(("act", "activation_function", "nonlinearity"), "activation"),
        **dict.fromkeys(("dataset", "data_set"), "data"),
        **dict.fromkeys(("opt", "optim", "solver"), "optimizer"),
        **dict.fromkeys(("initialization", "initializer", "weight_init"), "init"),
        **dict.fromkeys(("initialization_scale", "weight_scale", "gain"), "init_scale"),
        **dict.fromkeys(("wd", "l2", "decay"), "weight_decay"),
        **dict.fromkeys(("repeats", "n_runs", "repetitions", "n_replicates"), "replicates"),
        **dict.fromkeys(("n_jobs", "workers", "n_workers", "num_workers"), "jobs"),
        **dict.fromkeys(("out", "output_activation", "output_unit"), "output"),
        **dict.fromkeys(("criterion", "cost", "objective", "loss_function"), "loss"),
        **dict.fromkeys(("biases", "use_bias"), "bias"),
        **dict.fromkeys(("random_state", "random_seed"), "seed"),
        **dict.fromkeys(("precision", "float"), "dtype"),
        **dict.fromkeys(("bugs", "mistakes"), "defects"),
        **dict.fromkeys(("filter", "where"), "only"),
        **dict.fromkeys(("dry_run", "dryrun"), "plan"),
        **dict.fromkeys(("output_dir", "results", "store_dir"), "store"),
        **dict.fromkeys(("n_samples", "num_samples"), "data.samples"),
        **dict.fromkeys(("n_classes", "num_classes"), "data.classes"),
        **dict.fromkeys(("test_size", "test_split"), "data.test_fraction"),
        **dict.fromkeys(("exp", "experiments"), "experiment"),
    }
)

CHOICES_OF_A_CASE = re.compile(r"case\.(?:data|setting|factors\.\w+\.level)")

INTRODUCTION = """\
Train small neural networks over every combination of the given settings and record how each run
learned, died, stuck or diverged. Runs that are in the store already are not trained again.
"""

EXAMPLES = """\
  python train.py activation=relu depth=3
  python train.py -m activation=relu,tanh init_scale=0.01,0.1,1
  python train.py -m lr=log:1e-3:10:40 depth=2,4 only="'lr*depth<1'" plan=true
  python train.py -m depth=2,4,8 width=16,8,4 zip=[depth,width]
  python train.py experiment={experiment}
"""

CASES = """\
Cases: forum posts, every suspected cause as posted and mended (python reproduce.py judges them)
"""

SWEEPING = """\
  lr=0.1,1,10               these values; every combination with the other axes is a cell
  depth='range(1,5)'        1, 2, 3, 4: the end is left out; a third number is the step
  lr=log:1e-3:10:40         40 values from 0.001 to 10, each the same factor above the last
  width=[8,8],[16,4]        a list in brackets is one value
  lr_factor.0=0,1           one layer's factor; the first layer is 0
  zip=[init,activation]     these axes move together, first with first; [[a,b],[c,d]] zips twice
  only="'lr*depth<1'"       keep the cells for which this holds; both pairs of quotes are needed
  -m                        says that this is a sweep. It may stand anywhere, more than once, or be
                            left out where a key has several values
Quote what the shell would read itself: parentheses, <, > and *, and in zsh brackets as well.
To extend a sweep, give the command again with more values: only the new runs are trained.
"""

HYDRA = """\
  -m, --multirun            sweep
  --cfg job                 print the configuration of one run and stop
  hydra/launcher=NAME       who runs the cells: bpcore (default), basic, or joblib (a plugin)
  --hydra-help              the other flags of Hydra, which reads this command line
"""


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of the command line: its type in words, its default as typed, its help line."""

    type: str
    default: str
    help: str


def _type_in_words(annotation: str) -> str:
    """Turn `Optional[list[int]]` into `list of int or null`."""
    plain = re.sub(r"^Optional\[(.*)\]$|^(.*) \| None$", r"\1\2", annotation)
    words = re.sub(r"^list\[(.*)\]$", r"list of \1", plain).replace("list of Any", "list")
    return words.replace("Any", "any") + (" or null" if plain != annotation else "")


def _default_as_typed(field: dataclasses.Field[object]) -> str:
    """Write a default the way the command line takes it; equal list entries are counted."""
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if isinstance(value, list) and len(value) > 1:
        return f"{len(value)} x {value[0]}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _keys_of(schema: type, prefix: str = "") -> Iterator[tuple[str, Key]]:
    for field in dataclasses.fields(schema):
        if field.name == "data":
            yield from _keys_of(DataConfig, "data.")
        elif field.name == "case":
            continue  # a file's own; what a command line can choose in it: CHOICES_OF_A_CASE
        else:
            words = _type_in_words(str(field.type))
            help_ = field.metadata["help"]
            yield prefix + field.name, Key(words, _default_as_typed(field), help_)


KEYS: Mapping[str, Key] = MappingProxyType(dict(_keys_of(SweepConfig)))
SWEEP_KEYS = frozenset(KEYS) - frozenset(name for name, _ in _keys_of(RunConfig))

GUESSES: Mapping[str, str] = MappingProxyType(
    {
        **{name.removeprefix("data."): name for name in KEYS if name.startswith("data.")},
        **ALIASES,
        **{name: name for name in (*KEYS, *GROUPS)},
    }
)


def is_key(name: str) -> bool:
    """Tell whether `name` is a key of the schema, a group, or the factor of one layer."""
    layer = re.fullmatch(rf"(?:{'|'.join(PER_LAYER)})\.(0|[1-9]\d*)", name)
    return (
        name in KEYS
        or name in GROUPS
        or CHOICES_OF_A_CASE.fullmatch(name) is not None
        or (layer is not None and int(layer[1]) < LAYERS_WITH_FACTORS)
    )


def respelled(word: str) -> str | None:
    """Return the key that `word` names in other words or another notation, or None."""
    plain = re.sub(r"\[(\d+)\]", r".\1", word.strip().lower().replace("-", "_"))
    for name in (plain, plain.rpartition(".")[2]):
        if name in GUESSES or is_key(name):
            return GUESSES.get(name, name)
    return None


def guess(word: str) -> str | None:
    """Return the key that was most likely meant by `word`, or None where nothing is close."""
    close = nearest(word.lower(), GUESSES) or nearest(word.lower().rpartition(".")[2], GUESSES)
    return respelled(word) or (GUESSES[close] if close else None)


def group_options(conf_dir: Path, group: str) -> dict[str, str]:
    """Map each file of a configuration group to its first comment line, in alphabetical order.

    Hydra's own `# @package` line is no description and is passed over.
    """
    found = {}
    for file in sorted((conf_dir / group).glob("*.yaml")):
        lines = file.read_text(encoding="utf-8").splitlines()
        comments = (line for line in lines if line.startswith("#") and "@package" not in line)
        found[file.stem] = next(comments, "").lstrip("# ")
    return found


def _rows(left: str, text: str, indent: int) -> str:
    """Wrap `text` into a column of its own, right of `left`."""
    pad = " " * indent
    return textwrap.fill(
        f"{left:<{indent}}{text}",
        COLUMNS,
        subsequent_indent=pad,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _group_section(group: str, options: Mapping[str, str]) -> list[str]:
    indent = max((len(f"  {group}={name}  ") for name in options), default=0)
    rows = [_rows(f"  {group}={name}", text, indent) for name, text in options.items()]
    return rows or [f"  (conf/{group} has no files)"]


def _key_sections() -> list[str]:
    lines = []
    for name, key in KEYS.items():
        if name in SECTIONS:
            lines += ["", SECTIONS[name]]
        if name == "data.name":  # it comes with data=NAME
            continue
        left = f"  {name:<20}{key.type:<15}{key.default:<10}"
        lines.append(_rows(left, key.help, len(left)))
    return lines


def _usual_data(conf_dir: Path) -> str:
    file = conf_dir / "config.yaml"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(r"^ *- data: (\w+)", text, re.MULTILINE)
    return found[1] if found else "none"


def help_text(conf_dir: Path) -> str:
    """Write the whole help: examples, data sets, experiments, cases, how to sweep, keys."""
    options = {group: group_options(conf_dir, group) for group in GROUPS}
    shown = EXAMPLES.format(experiment=next(iter(options["experiment"]), "NAME"))
    factors = f"{' and '.join(PER_LAYER)} take numbers .0 to .{LAYERS_WITH_FACTORS - 1} as well."
    data = _group_section("data", options["data"])
    parts = [
        "Usage: python train.py [-m] [key=value ...]",
        INTRODUCTION.rstrip(),
        "Examples\n" + shown.rstrip(),
        "\n".join([f"Data sets ({_usual_data(conf_dir)}, if none is chosen)", *data]),
        "\n".join(["Experiments", *_group_section("experiment", options["experiment"])]),
        "\n".join([CASES.rstrip(), *_group_section("case", options["case"])]),
        "Sweeping\n" + SWEEPING.rstrip(),
        "Keys: type, default, meaning\n" + "\n".join(_key_sections()).lstrip("\n") + "\n" + factors,
        "Hydra's flags worth knowing\n" + HYDRA.rstrip(),
    ]
    return "\n\n".join(parts)
