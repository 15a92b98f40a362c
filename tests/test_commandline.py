"""What `sweeps.commandline` refuses, in which words, and what it hands to Hydra."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.axes import log_spacing
from sweeps.commandline import prepare
from sweeps.errors import BadInput
from sweeps.flags import FLAGS
from sweeps.helptext import ALIASES, KEYS, SWEEP_KEYS, group_options, help_text, is_key

ROOT = Path(__file__).resolve().parents[1]
PARSER = OverridesParser.create()
FUNCTIONS = "bool, choice, float, glob, int, interval, range, shuffle, sort, str, tag"
HELP = "`python train.py --help` lists the keys."
TWO_QUOTES = "must stand in two pairs of quotes, one for the shell and one for Hydra"
NO_DASHES = "must be written as key=value, without dashes"
ONE_BY_ONE = "`experiment` must be one, since experiments are swept one at a time; got experiment="


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    files = {
        "data/moons": "# Two half circles.\nname: moons\n",
        "data/xor": "# Exclusive or.\n# Four points.\nname: xor\n",
        "experiment/dead_relu": "# @package _global_\n# Who dies, and when?\nlr: 1\n",
        "experiment/vanishing": "lr: 1\n",
    }
    for name, text in files.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


# Command lines stand as they are typed in a shell: the quotes are half of what is tested.
REFUSED = {
    # keys
    "lerning_rate=1": "`lerning_rate` must be a known key; got lerning_rate=1. Did you mean lr?",
    "+lerning_rate=1": "`lerning_rate` must be a known key; got +lerning_rate=1. Did you mean lr?",
    "++lerning_rate=1": (
        "`lerning_rate` must be a known key; got ++lerning_rate=1. Did you mean lr?"
    ),
    "activaton=relu,tanh": (
        "`activaton` must be a known key; got activaton=relu,tanh. Did you mean activation?"
    ),
    "data.nose=1": "`data.nose` must be a known key; got data.nose=1. Did you mean data.noise?",
    "noise=0.1": "`noise` must be a known key; got noise=0.1. Did you mean data.noise?",
    "learning-rate=1": "`learning-rate` must be a known key; got learning-rate=1. Did you mean lr?",
    "model.lr=1": "`model.lr` must be a known key; got model.lr=1. Did you mean lr?",
    "LR=1": "`LR` must be a known key; got LR=1. Did you mean lr?",
    "data@x=moons": "`data@x` must be a known key; got data@x=moons. Did you mean data?",
    "foo=1": f"`foo` must be a known key; got foo=1. {HELP}",
    "~foo": f"`foo` must be a known key; got ~foo. {HELP}",
    f"foo={'x' * 90}": f"`foo` must be a known key; got foo={'x' * 73}.... {HELP}",
    "lr.0=1": "`lr.0` must be a known key; got lr.0=1. Did you mean lr?",
    "lr_factor.16=2": (
        "`lr_factor.16` must be a key from lr_factor.0 to lr_factor.15, one for each layer; "
        "got lr_factor.16=2."
    ),
    "lr_factor[0]=2": (
        "`lr_factor[0]` must be a known key; got lr_factor[0]=2. Did you mean lr_factor.0?"
    ),
    "width.0=3": (
        "`width.0` must be a known key; got width.0=3. Only scale_factor and lr_factor have "
        "numbered keys: write width as a whole list."
    ),
    "+lr=1": "`lr` must be set without +, since it is a key already; got +lr=1. Write lr=1.",
    "+experiment=dead_relu": (
        "`experiment` must be set without +, since it is a key already; "
        "got +experiment=dead_relu. Write experiment=dead_relu."
    ),
    "++data=moons": (
        "`data` must be set without ++, since it is a key already; got ++data=moons. "
        "Write data=moons."
    ),
    "~lr": (
        "`lr` must keep a value, since a run needs every key; got ~lr. "
        "Leave ~lr out, or give another value as lr=VALUE."
    ),
    "~lr=0.1": (
        "`lr` must keep a value, since a run needs every key; got ~lr=0.1. "
        "Leave ~lr=0.1 out, or give another value as lr=VALUE."
    ),
    # the same key twice
    "lr=1 depth=2 lr=2": (
        "`lr` must be given once; got lr=1 and lr=2. "
        "Keep one of them, or sweep over all of them: lr=1,2."
    ),
    "lr=0.1 lr=log:1:10:3 lr=2": (
        "`lr` must be given once; got lr=0.1 and lr=log:1:10:3 and lr=2. "
        "Keep one of them, or sweep over all of them: lr=0.1,log:1:10:3,2."
    ),
    "lr=1 lr=1": "`lr` must be given once; got lr=1 and lr=1. Keep one of them.",
    "lr='range(1,3)' lr=7": (
        "`lr` must be given once; got lr=range(1,3) and lr=7. Keep one of them."
    ),
    "experiment=dead_relu experiment=vanishing": (
        "`experiment` must be given once; got experiment=dead_relu and experiment=vanishing. "
        "Keep one of them."
    ),
    "jobs=1 jobs=2": "`jobs` must be given once; got jobs=1 and jobs=2. Keep one of them.",
    # no value
    "lr=": (
        "`lr` must have a value behind its equals sign; got lr=. Write lr=VALUE, or leave it out."
    ),
    "lr= 0.1": "`lr` must have a value behind its equals sign; got lr=. Write lr=0.1.",
    "lr=,1": "`lr` must have a value on both sides of each comma; got lr=,1. Write lr=1.",
    "activation=relu,": (
        "`activation` must have a value on both sides of each comma; got activation=relu,. "
        "Write activation=relu."
    ),
    "activation=relu,,tanh": (
        "`activation` must have a value on both sides of each comma; got activation=relu,,tanh. "
        "Write activation=relu,tanh."
    ),
    "activation=relu, tanh, sigmoid": (
        "`activation` must have a value on both sides of each comma; got activation=relu,. "
        "Write activation=relu,tanh,sigmoid."
    ),
    # groups
    "data=mons": "`data` must be one of moons, xor; got mons. Did you mean moons?",
    "data=moons,mons": "`data` must be one of moons, xor; got mons. Did you mean moons?",
    "+data=mons": "`data` must be one of moons, xor; got mons. Did you mean moons?",
    "data='choice(moons,xr)'": "`data` must be one of moons, xor; got xr. Did you mean xor?",
    "data='glob(q*)'": "`data` must be one of moons, xor; got glob(q*).",
    "data=null": "`data` must be one of moons, xor; got null.",
    "data='range(1,3)'": "`data` must be one of moons, xor; got range(1,3).",
    "data=[moons,xor]": (
        "`data` must be chosen without brackets; got data=[moons,xor]. Write data=moons,xor."
    ),
    "experiment=dead_rely": (
        "`experiment` must be one of dead_relu, vanishing; got dead_rely. Did you mean dead_relu?"
    ),
    "experiment=dead_relu,vanishing": (
        f"{ONE_BY_ONE}dead_relu,vanishing. Give one command for each experiment."
    ),
    "experiment=[dead_relu]": f"{ONE_BY_ONE}[dead_relu]. Give one command for each experiment.",
    "experiment='glob(*)'": f"{ONE_BY_ONE}glob(*). Give one command for each experiment.",
    # words without an equals sign, and dashes
    "my_net.py": "`my_net.py` must have the form key=value; got my_net.py. For a program of your "
    "own, write `python diagnose.py my_net.py`.",
    "relu": f"`relu` must have the form key=value; got relu. {HELP}",
    "''": f"`''` must have the form key=value; got nothing. {HELP}",
    "=3": f"`=3` must have the form key=value; got =3. {HELP}",
    "~": f"`~` must have the form key=value; got ~. {HELP}",
    "-0.5": f"`-0.5` must have the form key=value; got -0.5. {HELP}",
    "moons": "`moons` must have the form key=value; got moons. Write data=moons.",
    "dead_relu": (
        "`dead_relu` must have the form key=value; got dead_relu. Write experiment=dead_relu."
    ),
    "plan": "`plan` must have the form key=value; got plan. Write plan=true.",
    "lr = 0.1": (
        "`lr` must have the form key=value; got lr. "
        "Write lr=VALUE, with no space around the equals sign."
    ),
    "--activation=relu": (
        f"`--activation` {NO_DASHES}; got --activation=relu. Write activation=relu."
    ),
    "--activation relu": (
        f"`--activation` {NO_DASHES}; got --activation relu. Write activation=relu."
    ),
    "--activaton relu": f"`--activaton` {NO_DASHES}; got --activaton relu. Write activation=relu.",
    "--experiment dead_relu": (
        f"`--experiment` {NO_DASHES}; got --experiment dead_relu. Write experiment=dead_relu."
    ),
    "--data mons": f"`--data` {NO_DASHES}; got --data mons. Write data=VALUE.",
    "-lr=0.1 -m": f"`-lr` {NO_DASHES}; got -lr=0.1. Write lr=0.1.",
    "--batch-size 4": f"`--batch-size` {NO_DASHES}; got --batch-size 4. Write batch_size=4.",
    "--lr -m": f"`--lr` {NO_DASHES}; got --lr. Write lr=VALUE.",
    "--lr '0.1)'": f"`--lr` {NO_DASHES}; got --lr 0.1). Write lr=VALUE.",
    "--plan": f"`--plan` {NO_DASHES}; got --plan. Write plan=true.",
    "--only 'lr<1'": f"`--only` {NO_DASHES}; got --only lr<1. Write only=\"'lr<1'\".",
    "--depth 'range(1,5)'": (
        f"`--depth` {NO_DASHES}; got --depth range(1,5). Write depth='range(1,5)'."
    ),
    # one configuration
    "lr=1,2 --cfg job": (
        "`lr` must have one value beside --cfg; got lr=1,2. "
        "--cfg is for one configuration: choose one value of lr."
    ),
    "experiment=dead_relu lr=1,2 --cfg job": (
        "`lr` must have one value beside --cfg; got lr=1,2. "
        "--cfg is for one configuration: choose one value of lr."
    ),
    "-m lr=1 -c job": (
        "`--cfg` must stand without -m; got --cfg and -m. "
        "--cfg is for one configuration: leave -m out."
    ),
    # keys that a sweep has once
    "zip=init,activation": (
        "`zip` must have one value for the whole sweep; got zip=init,activation. "
        "Write zip=[init,activation]."
    ),
    "jobs=1,2": "`jobs` must have one value for the whole sweep; got jobs=1,2.",
    "name=a,b": (
        "`name` must have one value for the whole sweep; got name=a,b. Write name=\"'a,b'\"."
    ),
    # grammar
    "only='lr<1'": f"`only` {TWO_QUOTES}; got only=lr<1. Write only=\"'lr<1'\".",
    "only=\"activation=='relu'\"": (
        f"`only` {TWO_QUOTES}; got only=activation=='relu'. "
        'Write only="\\"activation==\'relu\'\\"".'
    ),
    "name=a=b": f"`name` {TWO_QUOTES}; got name=a=b. Write name=\"'a=b'\".",
    'name="\'abc"': f"`name` {TWO_QUOTES}; got name='abc. Write name=\"'abc'\".",
    "'data.path=data(1).csv'": (
        f"`data.path` {TWO_QUOTES}; got data.path=data(1).csv. Write data.path=\"'data(1).csv'\"."
    ),
    "'store=~/my runs'": (
        "`store` must not begin with ~, which has no meaning to Hydra; got store=~/my runs. "
        'Write store="$HOME/my runs".'
    ),
    "defects=[a,b": (
        "`defects` must have its brackets and quotes closed; got defects=[a,b. Write defects=[a,b]."
    ),
    "defects=[a, b]": (
        "`defects` must have its brackets and quotes closed; got defects=[a,. Write defects=[a,b]."
    ),
    "zip=[[a,b], [c, d]] lr=1": (
        "`zip` must have its brackets and quotes closed; got zip=[[a,b],. Write zip=[[a,b],[c,d]]."
    ),
    'activation="\'relu"': (
        "`activation` must have its brackets and quotes closed; got activation='relu. "
        "Write activation=\"'relu'\"."
    ),
    "zip=[a,b]]": "`zip` must follow Hydra's grammar; got zip=[a,b]]. Write zip=[a,b].",
    "'width=(8,8)'": "`width` must follow Hydra's grammar; got width=(8,8). Write width=[8,8].",
    "'lr=(0.1,1)'": "`lr` must follow Hydra's grammar; got lr=(0.1,1). Write lr=0.1,1.",
    "lr==3": "`lr` must follow Hydra's grammar; got lr==3. Write lr=3.",
    "'lr=0.1;'": (
        "`lr` must follow Hydra's grammar; got lr=0.1;. "
        "`python train.py --help` shows how values are written."
    ),
    "'lr=choice()'": (
        "`lr` must follow Hydra's grammar; got lr=choice(). "
        "`python train.py --help` shows how values are written."
    ),
    "'lr=logspace(-3,1,5)'": (
        f"`lr` must use one of Hydra's functions ({FUNCTIONS}); got lr=logspace(-3,1,5). "
        "Write lr=log:LOW:HIGH:COUNT for values spaced by equal factors."
    ),
    "'depth=rnge(1,3)'": (
        f"`depth` must use one of Hydra's functions ({FUNCTIONS}); got depth=rnge(1,3). "
        "Did you mean range?"
    ),
    "'depth=steps(1,3)'": (
        f"`depth` must use one of Hydra's functions ({FUNCTIONS}); got depth=steps(1,3). "
        "`python train.py --help` shows how to sweep."
    ),
    "'lr=range(5,1)'": (
        "`lr` must be swept over a range that has values; got lr=range(5,1). "
        "The second number is left out, and the third, the step, leads towards it."
    ),
    "'lr=range(1,3),7'": (
        "`lr` must be either a list of values or one function; got lr=range(1,3),7. "
        "List every value instead of the function."
    ),
    "'width=[1,choice(2,3)]'": (
        "`width` must be either a list of values or one function; got width=[1,choice(2,3)]. "
        "List every value instead of the function."
    ),
    "lr=log:1:2": (
        "`log:1:2` must be log:LOW:HIGH:COUNT; got 2 parts after log. For example log:1e-3:10:40."
    ),
}


@pytest.mark.parametrize("typed", REFUSED)
def test_bad_input_gets_this_sentence(typed, conf):
    with pytest.raises(BadInput) as caught:
        prepare(shlex.split(typed), conf)
    assert str(caught.value) == REFUSED[typed]


ADVICE = sorted(
    found[1]
    for message in REFUSED.values()
    for found in [re.search(r"(?:Write|all of them:) ([a-z_.]+=[^A-Z]*|store=.*)\.$", message)]
    if found
)


@pytest.mark.parametrize("advice", ADVICE)
def test_advised_overrides_are_accepted_as_typed_in_a_shell(advice, conf):
    in_shell = ["bash", "-c", f"printf '%s' {advice}"]
    argument = subprocess.run(in_shell, capture_output=True, text=True, check=True).stdout
    assert prepare([argument], conf)


def test_much_advice_was_tried():
    assert len(ADVICE) > 30


@pytest.mark.parametrize("message", [text for text in REFUSED.values() if "Did you mean" in text])
def test_nearest_words_exist(message):
    word = message.rpartition("Did you mean ")[2].rstrip("?")
    assert is_key(word) or word in ("moons", "xor", "dead_relu", "range")


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_name_keys_and_are_none_themselves(alias, conf):
    assert is_key(ALIASES[alias])
    assert not is_key(alias)
    with pytest.raises(BadInput, match=rf"Did you mean {re.escape(ALIASES[alias])}\?$"):
        prepare([f"{alias}=1"], conf)


def test_an_empty_group_is_no_list_of_choices(tmp_path):
    with pytest.raises(BadInput) as caught:
        prepare(["experiment=dead_relu"], tmp_path)
    assert str(caught.value) == (
        "`experiment` must be a file of conf/experiment, which has none; "
        "got experiment=dead_relu. Leave experiment out."
    )


PASSED = {
    "": "",
    "lr=1": "lr=1",
    "++lr=1": "++lr=1",
    "lr_factor.0=1 scale_factor.15=2": "lr_factor.0=1 scale_factor.15=2",
    "data.noise=0.1 data=moons": "data.noise=0.1 data=moons",
    "activation=relu,tanh": "--multirun activation=relu,tanh",
    "-m activation=relu,tanh": "-m activation=relu,tanh",
    "--multi activation=relu,tanh": "--multi activation=relu,tanh",
    "activation=relu,tanh -m": "-m activation=relu,tanh",
    "-m lr=1,2 -m depth=2": "-m -m lr=1,2 depth=2",
    "data=moons,xor": "--multirun data=moons,xor",
    "data='glob(m*)'": "--multirun data='glob(m*)'",
    "depth='range(1,5)'": "--multirun depth='range(1,5)'",
    "depth='range(5,1,-1)'": "--multirun depth='range(5,1,-1)'",
    "lr='interval(0.1,1)' hydra/sweeper=optuna": (
        "--multirun lr='interval(0.1,1)' hydra/sweeper=optuna"
    ),
    "width=[8,8],[4]": "--multirun width=[8,8],[4]",
    "defects=[a,b]": "defects=[a,b]",
    "zip=[[a,b],[c,d]]": "zip=[[a,b],[c,d]]",
    "only=\"'a,b'\"": "only=\"'a,b'\"",
    "activation=\"'relu,tanh'\"": "activation=\"'relu,tanh'\"",
    "name='my sweep'": "name='my sweep'",
    "experiment=dead_relu": "experiment=dead_relu",
    "experiment=dead_relu lr=1,2": "experiment=dead_relu lr=1,2",
    "experiment=dead_relu lr=1,2 -m": "-m experiment=dead_relu lr=1,2",
    "experiment=dead_relu lr=1,2 --run": "--run experiment=dead_relu lr=1,2",
    "experiment=null lr=1,2": "--multirun experiment=null lr=1,2",
    "hydra.mode=MULTIRUN lr=1,2": "hydra.mode=MULTIRUN lr=1,2",
    "hydra/launcher=joblib hydra.x=1,2 hydra.x=3 +hydra.y=( ~hydra.z".replace("(", "'('"): (
        "hydra/launcher=joblib hydra.x=1,2 hydra.x=3 +hydra.y='(' ~hydra.z"
    ),
    "hydra.searchpath=[elsewhere] data=mine": "hydra.searchpath=[elsewhere] data=mine",
    "--config-path elsewhere data=mine": "--config-path elsewhere data=mine",
    "lr=1 --cfg job depth=2": "--cfg job lr=1 depth=2",
    "--cfg=job lr=1": "--cfg=job lr=1",
    "--info lr=1": "--info=all lr=1",
    "-i plugins lr=1": "-i plugins lr=1",
    "-- lr=1": "lr=1",
    "--hydra-help foo": "--hydra-help foo",
    "-sc install=bash": "-sc install=bash",
    "lr=log:1e-3:10:5": "--multirun lr=0.001,0.01,0.1,1.0,10.0",
    "lr=\"'log:1e-3:10:5'\"": "--multirun lr=0.001,0.01,0.1,1.0,10.0",
    "-m lr=log:1:100:3,7": "-m lr=1.0,10.0,100.0,7",
    "lr_factor.2=log:1:100:3": "--multirun lr_factor.2=1.0,10.0,100.0",
    "data.noise=log:0.1:10:3": "--multirun data.noise=0.1,1.0,10.0",
    "epochs=log:10:1000:3": "--multirun epochs=10,100,1000",
    "width=log:1:8:7": "--multirun width=1,2,3,4,6,8",
    "record=log:50": "record=log:50",
    "record=log:50,every": "--multirun record=log:50,every",
    "name=log:1:2:3": "name=log:1:2:3",
}


@pytest.mark.parametrize("typed", PASSED)
def test_good_input_reaches_hydra_as(typed, conf):
    assert prepare(shlex.split(typed), conf) == shlex.split(PASSED[typed])


@pytest.mark.parametrize("typed", sorted(set(PASSED) - {"--hydra-help foo", "-sc install=bash"}))
def test_hydras_own_parser_takes_all_of_it(typed, conf):
    argv = prepare(shlex.split(typed), conf)
    parsed = get_args_parser().parse_args(argv)
    assert parsed.overrides == [word for word in argv if re.match(r"[^-]*=|~", word)]


def test_unknown_flags_are_left_to_hydra(conf):
    assert prepare(["--foo", "--multrun", "lr=1"], conf) == ["--foo", "--multrun", "lr=1"]


def test_flags_are_those_of_the_installed_hydra():
    actions = get_args_parser()._actions
    assert {name for a in actions for name in a.option_strings if name[:2] == "--"} == FLAGS


def test_an_extra_config_dir_adds_choices(conf, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("name: table\n", encoding="utf-8")
    argv = ["--config-dir", str(tmp_path), "data=mine,xor"]
    assert prepare(argv, conf) == [*argv[:2], "--multirun", argv[2]]


def test_log_axes_have_the_values_of_the_sweeper(conf):
    word = prepare(["lr=log:1e-3:10:40"], conf)[1]
    assert [float(text) for text in word[3:].split(",")] == log_spacing("log:1e-3:10:40")


# Plain values of Hydra's grammar, without "log:", which is rewritten.
SCALARS = (
    st.integers(-999, 999).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.text("abz_", min_size=1, max_size=8)
    | st.text("az,<=() []$", min_size=1, max_size=8).map("'{}'".format)
)
ELEMENTS = SCALARS | st.lists(SCALARS, max_size=3).map(lambda items: f"[{','.join(items)}]")
SWEEPS = (
    st.lists(ELEMENTS, min_size=2, max_size=4).map(",".join)
    | st.lists(ELEMENTS, min_size=1, max_size=4).map(lambda items: f"choice({','.join(items)})")
    | st.builds("range({},{})".format, st.integers(-9, 0), st.integers(1, 9))
)
AXES = sorted(set(KEYS) - SWEEP_KEYS - {"data.name"}) + [
    f"lr_factor.{layer}" for layer in range(16)
]
ANY_VALUE = st.text("ab01.,:=()[]{}'\"<~$\\ é-", max_size=12)
ANY_KEY = st.sampled_from(
    [*KEYS, "data", "experiment", "~lr", "+lr", "--experiment", "lr_factor.3"]
)
ANY_WORD = st.builds("{}={}".format, ANY_KEY, ANY_VALUE) | ANY_VALUE


@settings(deadline=None)  # the first parse fills the caches of Hydra's parser
@given(st.dictionaries(st.sampled_from(sorted(set(KEYS) - {"data.name"})), ELEMENTS, max_size=5))
def test_single_values_pass_unchanged(conf, values):
    argv = [f"{key}={value}" for key, value in values.items()]
    assert prepare(argv, conf) == argv


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(AXES), SWEEPS, min_size=1, max_size=5))
def test_sweeps_pass_unchanged_but_for_multirun(conf, values):
    argv = [f"{key}={value}" for key, value in values.items()]
    assert prepare(argv, conf) == ["--multirun", *argv]
    assert prepare(["-m", *argv], conf) == ["-m", *argv]


@settings(deadline=None)
@given(st.lists(ANY_WORD, max_size=3))
def test_anything_at_all_passes_or_gets_a_sentence(conf, argv):
    try:
        passed = prepare(argv, conf)
    except BadInput:
        return
    assert all(word[0] == "-" or PARSER.parse_override(word) for word in passed)


def test_the_help_lists_every_key_with_default_and_meaning():
    flat = " ".join(help_text(ROOT / "conf").split())
    for name, key in KEYS.items():
        if name == "data.name":  # it comes with data=NAME
            continue
        assert f"{name} {key.type} {key.default} {key.help}" in flat


@pytest.mark.parametrize("group", ["data", "experiment", "case"])
def test_the_help_lists_every_file_of_a_group(group):
    flat = " ".join(help_text(ROOT / "conf").split())
    for file in (ROOT / "conf" / group).glob("*.yaml"):
        assert f" {group}={file.stem} {group_options(ROOT / 'conf', group)[file.stem]}" in flat


def test_descriptions_pass_over_hydras_package_line(conf):
    assert group_options(conf, "experiment") == {
        "dead_relu": "Who dies, and when?",
        "vanishing": "",
    }


def test_the_help_fits_100_columns(conf):
    assert max(map(len, help_text(conf).splitlines())) <= 100
    assert max(map(len, help_text(ROOT / "conf").splitlines())) <= 100


def test_the_commands_in_the_help_are_accepted(conf):
    lines = [line.strip() for line in help_text(conf).splitlines()]
    commands = [shlex.split(line)[2:] for line in lines if line.startswith("python train.py")]
    assert len(commands) == 5
    assert all(prepare(argv, conf) for argv in commands)


def test_the_defaults_in_the_help_are_those_of_config_yaml():
    """The help reads the schema; a key set in config.yaml would make it lie."""
    config = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text(encoding="utf-8"))
    assert set(config) <= {"defaults", "hydra"}


@pytest.mark.parametrize("argv", ["--help", "-h", "--hel", "lr=1 -h", "--lr 0.1 --help", "foo -h"])
def test_help_is_printed_whatever_else_is_wrong(argv, conf, capsys):
    with pytest.raises(SystemExit) as caught:
        prepare(shlex.split(argv), conf)
    assert caught.value.code == 0
    assert capsys.readouterr().out == help_text(conf) + "\n"


LIGHT_HELP = """
import sys
from pathlib import Path
from sweeps.commandline import prepare
try:
    prepare(["--help"], Path("conf"))
except SystemExit:
    heavy = {"hydra", "omegaconf", "antlr4", "yaml", "numpy", "pandas"} & set(sys.modules)
    print("heavy:", *heavy)
"""


def test_help_imports_no_heavy_package():
    command = [sys.executable, "-c", LIGHT_HELP]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "heavy:"
