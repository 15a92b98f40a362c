import ast
import itertools
import json
import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.utils import JobStatus
from omegaconf import OmegaConf

from hydra_plugins.bpcore_hydra.launcher import StackLauncher
from sweeps.compose import Cell, Problem
from sweeps.errors import BadInput
from tests.hydra_side import HydraSide, project_conf
from tests.test_compose import LINKS, PROJECT

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def side(tmp_path_factory):
    return HydraSide(project_conf(tmp_path_factory.mktemp("sweeper")))


def texts(jobs):
    return [" ".join(job) for job in jobs]


def refusal(side, arguments, params=None):
    with pytest.raises(BadInput) as caught:
        side.sweeper(params).jobs(arguments)
    return str(caught.value)


# What the basic sweeper would launch


def basic(side, arguments):
    (batch,) = BasicSweeper.split_arguments(side.parse(arguments), max_batch_size=None)
    return [tuple(job) for job in batch]


@pytest.mark.parametrize("row", range(len(PROJECT) + len(LINKS)))
def test_the_texts_of_jobs_are_those_of_the_basic_sweeper(side, row):
    compared = 0
    for argument in (PROJECT + LINKS)[row]:
        if "log:" in argument or "-0.0" in argument:
            continue
        try:
            ours = side.sweeper().jobs([argument, "seed=1,2"])
        except BadInput:
            continue
        assert ours == list(dict.fromkeys(basic(side, [argument, "seed=1,2"])))
        compared += 1
    assert compared or row == len(PROJECT) - 1  # the row of zip and only


def test_several_axes_come_in_the_order_of_the_basic_sweeper(side):
    arguments = ["lr=0.1,1", "data=glob(m*)", "width=4,[4,4]", "name='a b'", "+x=${lr}", "~bias"]
    assert side.sweeper().jobs(arguments) == basic(side, arguments)


def test_floats_are_canonical(side):
    jobs = side.sweeper().jobs(["lr=range(0.1,0.45,0.1)", "lr_factor=[0.30000000000000004]"])
    assert texts(jobs) == [f"lr={lr} lr_factor=[0.3]" for lr in ("0.1", "0.2", "0.3", "0.4")]


def test_equal_jobs_are_launched_once(side):
    assert texts(side.sweeper().jobs(["lr=1.0,1.,1e0,2.0,0.1,0.10"])) == [
        "lr=1.0",
        "lr=2.0",
        "lr=0.1",
    ]


def test_a_job_without_arguments_is_one_job(side):
    assert side.sweeper().jobs([]) == [()]


# log:


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("lr=log:0.01:1:3", ["lr=0.01", "lr=0.1", "lr=1.0"]),
        ("lr=log:0.01:1:3,5", ["lr=0.01", "lr=0.1", "lr=1.0", "lr=5"]),
        ("lr=choice(log:0.01:1:3)", ["lr=0.01", "lr=0.1", "lr=1.0"]),
        ("depth=log:1:8:4", ["depth=1", "depth=2", "depth=4", "depth=8"]),
        ("width=log:4:16:3", ["width=4", "width=8", "width=16"]),
        (
            "data.samples=log:10:1000:3",
            ["data.samples=10", "data.samples=100", "data.samples=1000"],
        ),
        ("data.noise=log:0.1:10:3", ["data.noise=0.1", "data.noise=1.0", "data.noise=10.0"]),
        ("lr_factor.0=log:1:4:3", ["lr_factor.0=1.0", "lr_factor.0=2.0", "lr_factor.0=4.0"]),
        ("record=log:50,every", [r"record=log\:50", "record=every"]),
    ],
)
def test_spacings_are_expanded(side, argument, expected):
    assert texts(side.sweeper().jobs([argument])) == expected
    key, _, value = argument.partition("=")
    assert texts(side.sweeper({key: value}).jobs([])) == expected


def test_a_faulty_spacing_is_refused(side):
    message = "`log:0:1:5` must have finite bounds above 0; got 0."
    assert refusal(side, ["lr=log:0:1:5,2"]) == message


# An experiment's axes


def test_params_come_first_and_the_command_line_replaces_them_at_their_place(side):
    sweeper = side.sweeper({"lr": "0.1,1", "data": "xor,moons", "depth": 2})
    assert texts(sweeper.jobs(["seed=7", "data=circles"])) == [
        "lr=0.1 data=circles depth=2 seed=7",
        "lr=1 data=circles depth=2 seed=7",
    ]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("lr=3,4", ["lr=3", "lr=4"]), ("++lr=3", ["++lr=3"]), ("~lr", ["~lr=null"])],
)
def test_any_spelling_of_a_key_replaces_its_axis(side, argument, expected):
    assert texts(side.sweeper({"lr": "1,2"}).jobs([argument])) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, ["lr=0.5"]),
        (None, ["lr=null"]),
        (True, ["lr=True"]),
        ("1,2", ["lr=1", "lr=2"]),
        ("range(1,3)", ["lr=1", "lr=2"]),
        ([1, 2], ["lr=[1,2]"]),
    ],
)
def test_params_may_be_any_yaml(side, value, expected):
    params = OmegaConf.create({"lr": value})
    assert texts(side.sweeper(params).jobs([])) == expected


def test_zip_and_only_are_read_from_the_configuration(side):
    chosen = ["zip=[lr,depth]", "only='lr < 3'"]
    sweeper = side.sweeper(master=side.master_of(chosen))
    jobs = sweeper.jobs(["lr=1,2,3", "depth=4,5,6", "seed=0,1", *chosen])
    assert [job[:3] for job in jobs] == [
        (f"lr={lr}", f"depth={lr + 3}", f"seed={seed}") for lr in (1, 2) for seed in (0, 1)
    ]


def test_zip_and_only_are_read_from_params(side):
    params = {"lr": "1,2,3", "depth": "4,5,6", "zip": "[lr,depth]", "only": "'depth > 4'"}
    assert [job[:2] for job in side.sweeper(params).jobs([])] == [
        ("lr=2", "depth=5"),
        ("lr=3", "depth=6"),
    ]


def test_a_filter_may_name_single_values_groups_and_elements(side):
    only = "only=\"data == 'xor' and lr_factor[0] < 1 and depth == 2\""
    sweeper = side.sweeper(master=side.master_of([only]))
    jobs = sweeper.jobs(["data=xor,moons", "lr_factor.0=0.5,1", "depth=2"])
    assert texts(jobs) == ["data=xor lr_factor.0=0.5 depth=2"]


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["lr=interval(0,1)"],
            "`lr` must have values to step through; got lr=interval(0,1). "
            "Write lr=log:LOW:HIGH:COUNT or lr=range(START,STOP,STEP).",
        ),
        (
            ["lr=range(0,1,0)"],
            "`lr` must have values to step through; got lr=range(0,1,0). "
            "Write lr=log:LOW:HIGH:COUNT or lr=range(START,STOP,STEP).",
        ),
        (
            ["lr=range(0.0,1,0)"],
            "`lr` must have values to step through; got lr=range(0.0,1,0). "
            "Write lr=log:LOW:HIGH:COUNT or lr=range(START,STOP,STEP).",
        ),
        (["lr=range(5,1)"], "`lr` must have at least one value; got lr=range(5,1)."),
        (["data=glob(zz*)"], "`data` must have at least one value; got data=glob(zz*)."),
        (
            ["lr=range(0,1,1e-9)"],
            "`lr` must have at most 1000000 values; got lr=range(0,1,1e-9).",
        ),
        (
            ["lr=range(0,inf,1)"],
            "`lr` must have at most 1000000 values; got lr=range(0,inf,1).",
        ),
        (
            ["replicates=5,10"],
            "`replicates` must have one value for the whole sweep; got replicates=5,10.",
        ),
        (["zip=lr,depth"], "`zip` must have one value for the whole sweep; got zip=lr,depth."),
        (
            ["experiment=a,b"],
            "`experiment` must be one, since experiments are swept one at a time; "
            "got experiment=a,b. Give one command for each experiment.",
        ),
    ],
)
def test_what_cannot_be_swept_is_refused_in_a_sentence(side, arguments, message):
    assert refusal(side, arguments) == message


def test_params_outside_the_grammar_are_refused_in_a_sentence(side):
    assert refusal(side, [], {"lr": "[1"}) == (
        "`lr=[1` cannot be read: no viable alternative at input '[1'."
    )


def test_a_zip_of_what_is_no_axis_lists_the_axes(side):
    sweeper = side.sweeper(master=side.master_of(["zip=[lr,dept]"]))
    with pytest.raises(BadInput) as caught:
        sweeper.jobs(["lr=1,2", "depth=3,4", "zip=[lr,dept]", "name=x", "~bias"])
    assert str(caught.value) == (
        "`zip` must name axes of this sweep (lr, depth); got dept. Did you mean depth?"
    )


# The launcher


@pytest.fixture
def engine(monkeypatch):
    """Stand in for the engine; it keeps the cells it gets and returns the losses it is given."""
    module = types.ModuleType("sweeps.engine")
    module.batches, module.losses = [], itertools.count(0.5)

    def run_cells(cells):
        module.batches.append(cells)
        return list(itertools.islice(iter(module.losses), len(cells)))

    module.run_cells = run_cells
    monkeypatch.setitem(sys.modules, "sweeps.engine", module)
    return module


def launcher(side):
    ours = StackLauncher()
    ours.setup(hydra_context=side.sweeper().hydra_context, task_function=None, config=side.master)
    return ours


def test_the_launcher_hands_all_cells_to_the_engine_and_returns_a_loss_for_each(side, engine):
    jobs = [("lr=1", "depth=2"), ("lr=x", "depth=2"), ("lr=1", "depth=2")]
    results = launcher(side).launch(jobs, initial_job_idx=0)
    (cells,) = engine.batches
    assert [type(cell) for cell in cells] == [Cell, Problem, Cell]
    assert cells[0].config == side.composed(jobs[0])
    assert [result.return_value for result in results] == [0.5, 1.5, 2.5]
    assert [tuple(result.overrides) for result in results] == jobs
    assert {result.status for result in results} == {JobStatus.COMPLETED}


def test_bad_input_in_the_engine_ends_the_launch_with_a_sentence(side, engine, capsys):
    def refuse(cells):
        raise BadInput("`lr` must be above 0; got -1.")

    engine.run_cells = refuse
    with pytest.raises(SystemExit) as caught:
        launcher(side).launch([("lr=1",)], initial_job_idx=0)
    assert caught.value.code == 2
    assert isinstance(caught.value.__cause__, BadInput)
    assert capsys.readouterr().err == "`lr` must be above 0; got -1.\n"


def test_other_errors_of_the_engine_keep_their_traceback(side, engine):
    def fail(cells):
        raise ZeroDivisionError

    engine.run_cells = fail
    with pytest.raises(ZeroDivisionError):
        launcher(side).launch([("lr=1",)], initial_job_idx=0)


# Through Hydra, as a program


PROGRAM = """
import json, sys, types
engine = types.ModuleType("sweeps.engine")

def run_cells(cells):
    rows = [[list(cell.overrides), getattr(cell, "message", None)] for cell in cells]
    print(json.dumps(rows))
    return [float(cell.config["lr"]) for cell in cells]

engine.run_cells = run_cells
sys.modules["sweeps.engine"] = engine
import hydra
from sweeps.compose import register
register()

@hydra.main(version_base="1.3", config_path=CONF, config_name="config")
def main(config):
    raise AssertionError("the launcher trains; the task function is never called")

main()
"""


@pytest.fixture
def program(tmp_path):
    """Run a program on this project's conf/ in an empty directory; its status, rows and stderr."""
    script = tmp_path / "program.py"
    conf = project_conf(tmp_path / "of")
    experiment = conf / "experiment" / "test_axes.yaml"
    experiment.write_text(
        textwrap.dedent(
            """
            # @package _global_
            hydra:
              mode: MULTIRUN
              sweeper:
                params:
                  lr: log:0.1:10:3
                  depth: 1,2,3
                  activation: relu,tanh
            zip: [lr, depth]
            only: depth < 3
            """
        ),
        encoding="utf-8",
    )
    script.write_text(f"CONF = {str(conf)!r}\n{PROGRAM}", encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()

    def run(*arguments, warnings="error"):
        done = subprocess.run(
            [sys.executable, "-W", warnings, str(script), *arguments],
            cwd=work,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[[[")]
        return (
            done.returncode,
            rows,
            done.stderr,
            sorted(str(path.relative_to(work)) for path in work.rglob("*")),
        )

    return run


def test_an_experiment_brings_its_axes_zip_and_filter_and_leaves_no_files(program):
    status, (rows,), errors, files = program("experiment=test_axes", "seed=1")
    assert (status, errors, files) == (0, "", [])
    assert rows == [
        [
            [f"lr={lr}", f"depth={depth}", f"activation={name}", "experiment=test_axes", "seed=1"],
            None,
        ]
        for lr, depth in ((0.1, 1), (1.0, 2))
        for name in ("relu", "tanh")
    ]


def test_bad_input_is_one_sentence_and_status_two(program):
    status, rows, errors, files = program("-m", "lr=1,2", "only='lrr < 1'")
    assert (status, rows, files) == (2, [], [])
    assert errors == "`only` must name axes of this sweep (lr); got lrr. Did you mean lr?\n"


def test_optuna_sweeps_through_the_launcher(program):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="Optuna sweeper not installed")
    status, rows, errors, files = program(
        "-m",
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=4",
        "hydra.sweeper.n_jobs=2",
        "lr=interval(0.1,1)",
        "depth=2",
        warnings="ignore",
    )
    assert status == 0, errors
    assert files == ["store", "store/hydra", "store/hydra/optimization_results.yaml"]
    assert [len(batch) for batch in rows] == [2, 2]


# What every start of Hydra pays


def test_the_plugins_import_nothing_heavy():
    code = (
        "import sys, hydra_plugins.bpcore_hydra.sweeper, hydra_plugins.bpcore_hydra.launcher;"
        "print([name for name in sys.modules"
        " if name.split('.')[0] in ('sweeps', 'numpy', 'pandas', 'bpcore', 'joblib')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ast.literal_eval(done.stdout) == []
