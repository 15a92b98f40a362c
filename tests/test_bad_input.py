"""Bad input, from the command line to the sentence: status 2, one sentence, nothing trained."""

from __future__ import annotations

import contextlib
import sys

import pytest

import report
import reproduce
import train as entry
from sweeps import listing
from sweeps.errors import BadInput
from tests.conftest import ROOT

ACTIVATIONS = (
    "relu, leaky_relu, floored_relu, elu, softplus, gelu, silu, tanh, softsign, sigmoid, identity"
)
EXPERIMENTS, DATA = (
    ", ".join(sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml")))
    for group in ("experiment", "data")
)
WHOLE_WIDTH = "`width` must be a whole number, 1 or more, or a list of them"
TABLE = "data=table data.target=y data.path="

FILES = {
    "text.csv": "a,b,y\n1,x,0\n2,3,1\n",
    "one.csv": "a,b,y\n1,2,0\n2,3,0\n",
    "file": "",
}

# Command lines as they are typed in a shell.
SENTENCES = {
    # names
    "activation=rellu": (
        f"`activation` must be one of {ACTIVATIONS}; got rellu. Did you mean relu?"
    ),
    "experiment=smokee": (
        f"`experiment` must be one of {EXPERIMENTS}; got smokee. Did you mean smoke?"
    ),
    "data=moon": f"`data` must be one of {DATA}; got moon. Did you mean moons?",
    "hydra/launcher=jobli": (
        "`hydra/launcher` must be one of basic, bpcore, joblib; got jobli. Did you mean joblib?"
    ),
    # keys
    "+lerning_rate=1": "`lerning_rate` must be a known key; got +lerning_rate=1. Did you mean lr?",
    "-m activaton=relu,tanh": (
        "`activaton` must be a known key; got activaton=relu,tanh. Did you mean activation?"
    ),
    # values
    "width=-1": f"{WHOLE_WIDTH}; got -1.",
    "width=0": f"{WHOLE_WIDTH}; got 0.",
    "depth=1.5": "`depth` must be a whole number or null; got 1.5.",
    "lr=nan": "`lr` must be a finite number, 0 or more; got nan.",
    "lr=fast": "`lr` must be a number; got fast.",
    "-m lr=": (
        "`lr` must have a value behind its equals sign; got lr=. Write lr=VALUE, or leave it out."
    ),
    "epochs=-1": "`epochs` must be a whole number from 0 to 2147483647; got -1.",
    "epochs=1e3": "`epochs` must be a whole number; got 1e3.",
    "bias=maybe": "`bias` must be true or false; got maybe.",
    "defects=[weights_updated_before_backprop] weight_decay=0.1": (
        "`defects` must fit the network; got weights_updated_before_backprop: "
        "it needs optimizer=sgd without weight_decay."
    ),
    # data
    "data=table": (
        "`data.path` must be a .csv, .parquet or .npz file for data=table; got null. "
        "Give it as data.path=FILE."
    ),
    f"{TABLE}nowhere.csv": (
        "`data.path` must name a file that exists; got nowhere.csv, looked for in {here}. "
        "Check its spelling or give the whole path."
    ),
    f"{TABLE}text.csv": (
        "`data.path` must hold numbers in every column but the target; got x in column b "
        "on line 2 of text.csv. Encode the column as numbers or drop it."
    ),
    f"{TABLE}one.csv": (
        "`data.target` must be a column of more than one value; got y, which is 0 in every row "
        "of one.csv. Choose another column."
    ),
    "batch_size=201": (
        "`batch_size` must be full or a whole number from 1 to 200, the number of training "
        "samples; got 201."
    ),
    # what does not go together
    "output=tanh loss=binary_cross_entropy": (
        "`output` must be sigmoid or softmax with loss=binary_cross_entropy; got tanh: its "
        "logarithm needs outputs between 0 and 1, and tanh gives any of -1 to 1."
    ),
    "-m lr=0.1,1 depth=1,2,3 zip=[lr,depth]": (
        "`zip` must join axes with equally many values; got 2 of lr, 3 of depth."
    ),
    "-m lr=0.1,1 only=\"'lr>5'\"": (
        "`only` must hold for at least one cell; got lr>5, which holds for none of 2."
    ),
    # where results go
    "store=file": (
        "`store` must be a directory that can be written; got file: Not a directory. "
        "Choose another with store=DIR."
    ),
    "store=\"''\"": "`store` must be a directory; got nothing. Give one with store=DIR.",
    "name=a/b": ("`name` must be letters, digits, - _ and . only, as it names files; got a/b."),
    "name=forum": (
        "`name` must be another than forum and forum-quick, under which reproduce.py writes its "
        "pages to reports/; got forum. Choose another name."
    ),
    "-m lr=0.1,1 save_params=params.npz": (
        "`save_params` must go with a single cell; got 2 cells. "
        "Leave it out, or give every key one value."
    ),
    "save_params=nowhere/params.npz": (
        "`save_params` must be a file that can be written; got nowhere/params.npz, whose "
        "directory does not exist."
    ),
    # several cells
    "-m lr=0.1,-1": ("`lr` must be a finite number, 0 or more; got -1.0. (1 of 2 cells: lr=-1)"),
    "-m lr=0.1,fast depth=1,2": "`lr` must be a number; got fast. (2 of 4 cells: lr=fast)",
    "-m activation=relu,rele lr=0.1,-1 width=5,0": (
        f"{WHOLE_WIDTH}; got 0. (4 of 8 cells: width=0)\n"
        "`lr` must be a finite number, 0 or more; got -1.0. (4 of 8 cells: lr=-1)\n"
        f"`activation` must be one of {ACTIVATIONS}; got rele. Did you mean relu? "
        "(4 of 8 cells: activation=rele)"
    ),
    "-m data=xor,moons batch_size=50": (
        "`batch_size` must be full or a whole number from 1 to 4, the number of training "
        "samples; got 50. (1 of 2 cells: data=xor)"
    ),
    "-m output=tanh,sigmoid loss=squared_error,binary_cross_entropy": (
        "`output` must be sigmoid or softmax with loss=binary_cross_entropy; got tanh: its "
        "logarithm needs outputs between 0 and 1, and tanh gives any of -1 to 1. "
        "(1 of 4 cells: output=tanh loss=binary_cross_entropy)"
    ),
}


@pytest.fixture
def here(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("line", SENTENCES)
def test_bad_input_gets_this_sentence_status_2_and_no_training(line, here, train):
    ended = train(line)
    assert ended.err == SENTENCES[line].replace("{here}", str(here)) + "\n"
    assert (ended.status, ended.out) == (2, "")
    assert {path.name for path in here.iterdir()} == set(FILES)


@pytest.mark.parametrize("line", ["activation=rellu", "-m lr=0.1,-1"])
def test_a_process_says_the_same(line, here, program):
    ended = program(line)
    assert ended.err == SENTENCES[line] + "\n"
    assert (ended.status, ended.out) == (2, "")
    assert {path.name for path in here.iterdir()} == set(FILES)


TWO_FAULTS = "data=xor epochs=1 replicates=1 activation=rellu,tahn"
FIRST_FAULT = f"`activation` must be one of {ACTIVATIONS}; got rellu. Did you mean relu?\n"


def test_under_hydras_basic_launcher_the_first_fault_is_said(train):
    ended = train(f"-m hydra/launcher=basic {TWO_FAULTS}")
    assert (ended.status, ended.out, ended.err) == (2, "", FIRST_FAULT)


def test_under_hydras_joblib_launcher_a_fault_is_said_with_the_same_status(program):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="joblib launcher is missing")
    ended = program(f"-m hydra/launcher=joblib {TWO_FAULTS}", warnings="ignore")
    assert (ended.status, ended.out) == (2, "")
    # Both workers may have spoken.
    assert FIRST_FAULT in ended.err or "got tahn. Did you mean tanh?\n" in ended.err


def test_more_problems_than_fit_a_screen_are_counted(train):
    rates = ",".join(str(-number) for number in range(1, 24))
    lines = train(f"-m lr={rates}").err.splitlines()
    assert lines[0] == "`lr` must be a finite number, 0 or more; got -1.0. (1 of 23 cells: lr=-1)"
    assert lines[20:] == ["... and 3 more."]


def test_a_fault_of_every_cell_names_the_override_they_share(train):
    assert train("-m lr=0.1,1 width=0").err == f"{WHOLE_WIDTH}; got 0. (2 of 2 cells: width=0)\n"


@pytest.mark.parametrize("line", ["", "-m lr=0.1,1 hydra/launcher=basic"])
def test_a_full_disk_is_said_in_a_sentence_and_is_no_bad_input(line, train, monkeypatch):
    from sweeps import store

    def full(table, to, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.pq, "write_table", full)
    ended = train(f"data=xor epochs=1 replicates=1 {line}")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        "The store store could not be written: No space left on device. What was written before "
        "is kept; make room and give the same command again.\n"
    )


def test_everything_at_zero_is_a_result(tmp_path, train):
    # With W = 0 and b = 0 ReLU passes nothing: the output stays at 1/2, the loss at ln 2.
    from sweeps import records

    ended = train("init=orthogonal init_scale=0 activation=relu epochs=20 replicates=2")
    assert (ended.status, ended.err) == (0, "")
    frame = records.runs(tmp_path / "store")
    assert frame["outcome"].tolist() == ["finished"] * 2
    assert frame["final_loss"].to_numpy() == pytest.approx([0.6931471805599453] * 2, rel=1e-12)
    assert frame["final_dead_fraction"].tolist() == [1.0, 1.0]


def test_a_launcher_of_hydras_own_does_not_swallow_a_programming_error(train, monkeypatch):
    from sweeps import engine

    def broken(cells, command):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(engine, "run_cells", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        train("-m lr=0.1,1 hydra/launcher=basic")


@pytest.mark.parametrize(
    ("program", "line", "flag"),
    [
        (report, "--li", "--li"),
        (report, "one --wher lr>1", "--wher"),
        (reproduce, "--qui", "--qui"),
        (listing, "list --sto store", "--sto"),
        (listing, "show one --cs", "--cs"),
    ],
)
def test_half_a_flag_is_no_flag(program, line, flag, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(line.split())
    assert caught.value.code == 2
    assert f"unrecognized arguments: {flag}" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["data=xor epochs=1 replicates=1", "data=xor lr=fast"])
def test_training_leaves_the_command_line_as_it_was(line, train):
    train(line)
    assert sys.argv == ["train.py", *line.split()]
    with contextlib.suppress(BadInput):
        entry.run([*line.split(), "jobs=1", "lr=1,2"])
    assert sys.argv == ["train.py", *line.split()]
