"""Each posted program and its case are the same training: same start, same data, 50 steps."""

from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import oracles
import pytest
from hydra_side import HydraSide

from analysis.forum import posted_factors
from bpcore import Data, train
from sweeps.cases import applied, load
from sweeps.resolve import core_data, resolve

ROOT = Path(__file__).resolve().parents[1]
FORUM = ROOT / "examples" / "forum"
STEPS = 50


def module(name):
    spec = spec_from_file_location(name, FORUM / f"{name}.py")
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def hydra():
    return HydraSide(ROOT / "conf")


@dataclass(frozen=True)
class Layout:
    """How a program lays out what the core has as W (n_out, n_in), b (n_out,), samples in columns.

    `arrays` makes the program's parameters of the core's, `rows` says that its samples are rows,
    `double` that its loss is twice the core's.
    """

    arrays: callable
    rows: bool = False
    double: bool = False


def columns(W, b):
    def arrays(p):
        layers = range(1, 1 + sum(name[0] == "W" for name in p))
        return {
            name: array
            for k in layers
            for name, array in ((f"{W}{k}", p[f"W{k}"]), (f"{b}{k}", p[f"b{k}"][:, None]))
        }

    return arrays


def transposed(p):
    return {name.lower(): array.T if name[0] == "W" else array for name, array in p.items()}


def bias_column(p):
    return {f"W{k - 1}": np.column_stack([p[f"W{k}"], p[f"b{k}"]]) for k in (1, 2, 3)}


def book(p):
    names = (("wih", "bh1"), ("wh1h2", "bh2"), ("wh2o", "bo"))
    arrays = {}
    for k, (w, b) in enumerate(names, start=1):
        arrays[w] = p[f"W{k}"]
        if f"b{k}" in p:
            arrays[b] = p[f"b{k}"][:, None]
    return arrays


LAYOUTS = {
    "000": Layout(columns("W", "b")),
    "001": Layout(transposed, rows=True, double=True),
    "002": Layout(columns("W", "B")),
    "003": Layout(bias_column, rows=True),
    "004": Layout(book, rows=True),
}
# The scenario that fills a post's gaps as its program here does.
AS_FILLED = {
    "000": "course",
    "001": "answers_program",
    "002": "typed_course",
    "003": "small_start_large_step",
    "004": "book",
}
# The code of post 003 is right; what is mended is where it starts and how far it steps.
PROGRAMS = {
    (post, level): f"{'post' if post == '003' else level}_{post}"
    for post in LAYOUTS
    for level in ("post", "mended")
}


# What may differ and leave a program the same, that takes where it starts, how far and on what it
# steps from outside.
OUTSIDE = {"init", "init_scale", "init_low", "init_high", "bias_scale", "lr", "epochs", "data"}


def posted_in(case, scenario):
    return set(posted_factors(case, case["scenarios"][scenario]))


def run_of(hydra, post, data, level, scenario=None):
    """The first replicate of a case's cell: as the scenario has it, or with everything mended."""
    case = load(ROOT / "conf", post)
    scenario = scenario or AS_FILLED[post]
    posted = posted_in(case, scenario)
    setting = case["scenarios"][scenario]["setting"]
    levels = [
        f"case.factors.{f}.level={'posted' if level == 'post' and f in posted else 'mended'}"
        for f in case["factors"]
    ]
    chosen = [f"case.setting={setting}"] if setting else []
    job = (f"case={post}", f"case.data={data}", *chosen, *levels)
    return resolve(applied(hydra._run(hydra.load(job))))[0]


def by_hand(program, layout, run, data):
    """Fifty steps of the program's own gradients, over the core's batches in the core's order."""
    batch = run.spec.batch_size or data.X.shape[1]
    orders = iter(oracles.orders(run.run, STEPS, data.X.shape[1]))
    p = layout.arrays(oracles.start(run.spec, run.run))
    lr = run.run.lr / (2 if layout.double else 1)
    taken = 0
    while taken < STEPS:
        order = next(orders) if run.spec.batch_size else np.arange(data.X.shape[1])
        for at in range(0, len(order), batch):
            rows = order[at : at + batch]
            X, Y = data.X[:, rows], data.Y[:, rows]
            X, Y = (X.T, Y.T) if layout.rows else (X, Y)
            g = program.grads(p, X, Y)
            if layout.double and run.spec.reduction == "mean":
                g = {name: array / len(rows) for name, array in g.items()}
            p = {name: p[name] - lr * g[name] for name in p}
            taken += 1
    assert taken == STEPS
    return p


def cases_and_data():
    return [(post, data) for post in LAYOUTS for data in load(ROOT / "conf", post)["datasets"]]


def other_fillings():
    """Each other scenario of which the program differs in nothing but what it takes from outside.

    The rest, with another activation, output, decay or defects than the post's program, has no
    program here: the pairs below, the core against its oracles and each defect against its own
    equation are what vouches for it.
    """
    found = []
    for post, filled in AS_FILLED.items():
        case = load(ROOT / "conf", post)
        for name, scenario in case["scenarios"].items():
            bundles = [
                case["factors"][f][level]
                for f in posted_in(case, name) ^ posted_in(case, filled)
                for level in ("posted", "mended")
            ] + [case["settings"][scenario["setting"]] if scenario["setting"] else {}]
            if name != filled and all(set(bundle) <= OUTSIDE for bundle in bundles):
                found.append((post, name))
    return found


@pytest.mark.parametrize(("post", "scenario"), other_fillings())
def test_a_program_agrees_with_scenarios_that_start_or_step_otherwise(hydra, post, scenario):
    data = next(iter(load(ROOT / "conf", post)["datasets"]))
    agree(hydra, post, data, "post", scenario)


@pytest.mark.parametrize("level", ["post", "mended"])
@pytest.mark.parametrize(("post", "data"), cases_and_data())
def test_a_program_and_its_case_agree_after_fifty_steps(hydra, post, data, level):
    agree(hydra, post, data, level)


def agree(hydra, post, data, level, scenario=None):
    run = run_of(hydra, post, data, level, scenario)
    given = core_data(run.setting.prepared)
    batch = run.spec.batch_size
    if batch == 1:
        given = Data.of(given.X[:, :STEPS], given.Y[:, :STEPS])
    epochs = STEPS if batch is None else STEPS * batch // given.X.shape[1]
    spec = replace(run.spec, epochs=epochs, record=(0, epochs))
    [got] = train(spec, [run.run], given)
    program, layout = module(PROGRAMS[post, level]), LAYOUTS[post]
    with np.errstate(all="ignore"):
        expected = by_hand(program, layout, run, given)
    found = layout.arrays(got.params)
    assert got.steps == STEPS
    assert set(found) == set(expected)
    for name, array in expected.items():
        # Weights that have run away to 1e20 and more have multiplied their rounding on the way.
        near = 1e-12 if scenario is None or np.abs(array).max() < 1e6 else 1e-9
        assert found[name] == pytest.approx(array, rel=near, abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("name", sorted(path.stem for path in FORUM.glob("*.py")))
def test_a_program_is_a_subject_in_the_form_that_diagnosis_takes(name):
    program = module(name)
    before = program.loss(program.params, program.X, program.Y)
    g = program.grads(program.params, program.X, program.Y)
    assert {k: v.shape for k, v in g.items()} == {k: v.shape for k, v in program.params.items()}
    p, losses = program.train(program.params, program.X, program.Y)
    assert losses[0] == before
    assert set(p) == set(program.params)
    if name.startswith("mended"):
        assert losses[-1] < 0.8 * losses[0]
