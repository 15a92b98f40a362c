"""Cases as configuration, from the file to the verdict, and the sixth post of docs/cases.md."""

import errno
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra_side import HydraSide

import reproduce
from analysis import claims, endings, forum
from sweeps import cases, columns
from sweeps.asked import ask
from sweeps.compose import compose
from sweeps.errors import BadInput
from sweeps.helptext import is_key
from sweeps.resolve import resolve

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
POSTS = ("000", "001", "002", "003", "004")
TEXTS = (
    "title",
    "source",
    "asks",
    "gives",
    "leaves_open",
    "about",
    "suspect",
    "cure",
    "by",
    "claim",
)


@pytest.fixture(scope="module")
def hydra():
    return HydraSide(CONF)


def short(hydra, jobs):
    """Compose as the launcher does, which knows the groups beforehand."""
    return compose(hydra.load, jobs, ("case", "data", "experiment"))


# The files.


@pytest.mark.parametrize("post", POSTS)
def test_a_case_says_where_it_is_from_what_it_asks_and_what_it_leaves_open(post):
    case = cases.load(CONF, post)
    assert all(case[key] for key in ("title", "source", "asks", "gives", "leaves_open"))
    assert len(case["datasets"]) >= 2
    assert all(factor["suspect"] and factor["cure"] for factor in case["factors"].values())
    assert 2 ** len(case["factors"]) <= 1024
    assert claims.problems(case) == []
    assert all(claim["by"] and claim["claim"] for claim in case["claims"])


@pytest.mark.parametrize("post", POSTS)
def test_every_factor_makes_a_difference_in_the_posted_or_in_the_mended_program(post, hydra):
    case = cases.load(CONF, post)

    def job(levels, data):
        chosen = [f"case.factors.{name}.level={level}" for name, level in levels.items()]
        return (f"case={post}", f"case.data={data}", *chosen)

    jobs = []
    for data in case["datasets"]:
        for base, other in (cases.LEVELS, cases.LEVELS[::-1]):
            usual = dict.fromkeys(case["factors"], base)
            jobs += [job(usual, data), *(job({**usual, f: other}, data) for f in usual)]
    runs = [resolve({**cases.applied(c.config), "replicates": 1})[0] for c in short(hydra, jobs)]
    size = len(case["factors"]) + 1
    for at in range(0, len(runs), 2 * size):
        posted, mended = runs[at : at + size], runs[at + size : at + 2 * size]
        for k, name in enumerate(case["factors"], start=1):
            assert posted[k].id != posted[0].id or mended[k].id != mended[0].id, name


@pytest.mark.parametrize("post", POSTS)
def test_all_cells_of_a_case_can_be_trained(post, hydra):
    sweeper = hydra.sweeper(master=hydra.master_of([f"case={post}"]))
    jobs = sweeper.jobs([f"case={post}", "replicates=1"])
    case = cases.load(CONF, post)
    settings = max(len(case["settings"]), 1)
    assert len(jobs) == len(case["datasets"]) * settings * 2 ** len(case["factors"])
    sweep = ask(short(hydra, jobs), "command")
    assert len(sweep.cells) == len(jobs)
    assert next(iter(sweep.axes)) == "case.data"


def test_cells_are_composed_the_short_way_as_hydra_does(hydra):
    sweeper = hydra.sweeper(master=hydra.master_of(["case=003"]))
    jobs = sweeper.jobs(["case=003"])[::13]
    assert len(jobs) == 8
    assert list(hydra.differences(jobs, short(hydra, jobs))) == []


def test_an_axis_on_the_command_line_replaces_the_cases_own(hydra):
    sweeper = hydra.sweeper(master=hydra.master_of(["case=002"]))
    jobs = sweeper.jobs(["case=002", "case.data=moons", "case.factors.init.level=mended"])
    assert len(jobs) == 2**5
    assert all("case.factors.init.level=mended" in job for job in jobs)


# Bundles.

CASE = {
    "data": None,
    "setting": None,
    "datasets": {"a": {"data": {"name": "xor"}}, "b": {"data": {"name": "moons"}}},
    "settings": {},
    "factors": {
        "one": {"level": "posted", "posted": {"lr": 1.0, "defects": ["x"]}, "mended": {}},
        "two": {"level": "posted", "posted": {"defects": ["y"]}, "mended": {"lr": 2.0}},
    },
}
CONFIG = {"case": CASE, "lr": 0.1, "defects": ["z"], "data": {"name": "none", "noise": 0.5}}


def with_case(**changes):
    return {**CONFIG, "case": {**CASE, **changes}}


def test_bundles_are_put_in_and_defects_add_up():
    found = cases.applied(CONFIG)
    assert (found["lr"], found["defects"]) == (1.0, ["z", "x", "y"])
    assert found["data"] == {"name": "xor", "noise": 0.5}
    assert CONFIG["data"]["name"] == "none"
    assert cases.applied(with_case(data="b"))["data"]["name"] == "moons"


def test_a_later_factor_wins():
    factors = {**CASE["factors"], "two": {**CASE["factors"]["two"], "level": "mended"}}
    found = cases.applied(with_case(factors=factors))
    assert (found["lr"], found["defects"]) == (2.0, ["z", "x"])


def test_a_configuration_without_a_case_is_left_alone():
    plain = {"lr": 1, "case": None}
    assert cases.applied(plain) is plain


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "c"}, "`case.data` must be one of a, b; got c."),
        (
            {"factors": {"one": {**CASE["factors"]["one"], "level": "mendet"}}},
            "`case.factors.one.level` must be one of posted, mended; got mendet. "
            "Did you mean mended?",
        ),
        (
            {"datasets": {"a": {"data": {"nam": "xor"}}}},
            "A bundle of case.data=a must set keys of a run; got nam.",
        ),
        (
            {"datasets": {"a": {"case": {}}}},
            "A bundle of case.data=a must set keys of a run; got case.",
        ),
    ],
)
def test_what_is_no_bundle_is_refused(changes, message):
    with pytest.raises(BadInput) as refused:
        cases.applied(with_case(**changes))
    assert str(refused.value) == message


def test_names_that_a_case_does_not_have_are_all_listed(tmp_path):
    (tmp_path / "case").mkdir()
    text = yaml.safe_load((CONF / "case" / "002.yaml").read_text(encoding="utf-8"))
    text["case"]["scenarios"]["typed"] = {"posted": ["inti"], "setting": "fast"}
    text["case"]["claims"][0]["factors"] = ["stepp"]
    text["case"]["claims"][0]["scenarios"] = ["type"]
    (tmp_path / "case" / "x.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        cases.load(tmp_path, "x")
    lines = str(refused.value).splitlines()
    assert [line.partition(" must")[0] for line in lines] == [
        "`case.scenarios.typed.posted`",
        "`case.scenarios.typed.setting`",
        "`case.claims.0.factors`",
        "`case.claims.0.scenarios`",
    ]
    assert "Did you mean init?" in lines[0]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda text: text.update(probes=[]),
            "`probes` must be usual in a case, as verdicts are made of all probes of all cells; "
            "got []. Leave it out.",
        ),
        (
            lambda text: text["case"]["datasets"]["moons"].update(probes="none"),
            "`probes` must be usual in a case, as verdicts are made of all probes of all cells; "
            "got none. Leave it out.",
        ),
        (
            lambda text: text.update(case=None),
            "{path} must be a YAML file with a part `case` of keys; got case: None.",
        ),
        (
            lambda text: text["case"].update(datasets={}),
            "`case.datasets` must have at least one entry; got none. docs/cases.md shows a whole "
            "case.",
        ),
        (
            lambda text: text["case"].update(
                scenarios={},
                claims=[c for c in text["case"]["claims"] if "scenarios" not in c],
            ),
            "`case.scenarios` must have at least one entry; got none. docs/cases.md shows a whole "
            "case.",
        ),
        (
            lambda text: text["case"]["scenarios"].update({"a/b": {}}),
            "`case.scenarios` must have names of letters, digits and _, no digit first; got a/b.",
        ),
    ],
)
def test_a_file_that_would_fail_after_training_is_refused_before(spoil, sentence, tmp_path):
    (tmp_path / "case").mkdir()
    text = yaml.safe_load((CONF / "case" / "002.yaml").read_text(encoding="utf-8"))
    spoil(text)
    (tmp_path / "case" / "x.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        cases.load(tmp_path, "x")
    assert str(refused.value) == sentence.format(path=tmp_path / "case" / "x.yaml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("case=02", "`case` must be one of 000, 001, 002, 003, 004; got 02. Did you mean 002?"),
        (
            "case=002,003",
            "`case` must be one, since cases are swept one at a time; got case=002,003. "
            "Give one command for each case.",
        ),
    ],
)
def test_a_case_is_one_of_those_there_are(line, message, train):
    done = train(line)
    assert (done.status, done.err) == (2, message + "\n")


def test_choices_of_a_case_are_keys():
    assert is_key("case.data")
    assert is_key("case.factors.init.level")
    assert not is_key("case.factors.init.posted")


# From the command line to the verdict, in a directory with a sixth post.


@pytest.fixture(scope="module")
def sixth(tmp_path_factory):
    """A copy of the project with one file more, the one that docs/cases.md shows."""
    copy = tmp_path_factory.mktemp("cases") / "project"
    copy.mkdir()
    for folder in ("analysis", "bpcore", "conf", "hydra_plugins", "sweeps"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("train.py", "reproduce.py"):
        shutil.copy(ROOT / file, copy)
    page = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```yaml case\n(.*?)```", page, re.DOTALL)
    (copy / "conf" / "case" / "005.yaml").write_text(text, encoding="utf-8")
    return copy


def run(copy, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def reproduced(sixth):
    done = run(sixth, "reproduce.py", "--quick", "005")
    assert done.returncode == 0, done.stderr
    return done


def test_a_sixth_post_is_listed(sixth):
    assert (
        "005  Loss stays at 0.693 with sigmoids on xor.\n"
        in run(sixth, "reproduce.py", "--list").stdout
    )


def test_a_sixth_post_is_trained_judged_and_written_down(sixth, reproduced):
    *_, note, _, path = reproduced.stdout.splitlines()
    assert path == "reports/forum-quick/verdicts.json"
    assert note == (
        "With 6 replicates a cell no factor can be found innocent, which takes 26, nor latent or "
        "guilty only with others, which takes 16 or more."
    )
    assert note in (sixth / "reports/forum-quick/005/index.html").read_text(encoding="utf-8")
    found = json.loads((sixth / path).read_text(encoding="utf-8"))["005"]
    assert [(s["name"], s["data"]) for s in found["scenarios"]] == [
        (scenario, data) for scenario in ("as_shown", "small_step") for data in ("xor", "clouds")
    ]
    for scenario in found["scenarios"]:
        assert set(scenario) == {
            "name", "data", "complaint", "trains_as_posted", "trains_mended", "factors", "minimal",
            "perhaps_minimal",
        }  # fmt: skip
        for factor in scenario["factors"]:
            assert set(factor) == {"factor", "verdict", "alone", "in_mended", "low", "high"}
            assert factor["low"] <= factor["high"]
    [claim] = found["claims"]
    assert set(claim) == {"by", "claim", "verdict", "numbers"}
    for table in ("cells", "factors", "interactions"):
        assert (sixth / "reports" / "forum-quick" / "005" / f"{table}.csv").exists()


def test_the_same_command_again_trains_nothing_and_says_the_same(sixth, reproduced):
    parts = sorted((sixth / "store" / "parts").iterdir())
    again = run(sixth, "reproduce.py", "--quick", "005")
    assert again.stdout == reproduced.stdout
    assert sorted((sixth / "store" / "parts").iterdir()) == parts


def test_verdicts_do_not_depend_on_the_texts(sixth, reproduced):
    from analysis import endings

    def judged(case):
        frame = endings.runs(sixth / "store", "case-005-quick")
        scenarios = forum.measured(frame, case)
        words = [claims.judged(claim, scenarios) for claim in case["claims"]]
        return json.dumps(forum.summary({**case, "claims": [STRIPPED]}, scenarios, words))

    case = cases.load(sixth / "conf", "005")
    assert judged(stripped(case)) == judged(case)
    assert "asks" not in json.dumps(stripped(case)).replace('"asks": ""', "")


def random_runs(case, replicates):
    """Made-up runs of a case's full factorial, read from no store: any columns a verdict may need.

    Each cell trains with a chance of its own, the fully mended one always.
    """
    rng = np.random.default_rng(17)
    named = {"case.data": case["datasets"], "case.setting": case["settings"]}
    axes = {key: list(bundles) for key, bundles in named.items() if bundles}
    axes |= {f"case.factors.{name}.level": list(cases.LEVELS) for name in case["factors"]}
    rows = []
    for levels in itertools.product(*axes.values()):
        cell = dict(zip(axes, levels, strict=True))
        chance = rng.choice([0.0, 0.2, 1.0]) if "posted" in levels else 1.0
        for replicate in range(replicates):
            row = {name: rng.uniform(0, 1) for name in endings.MEASURED}
            row |= {"replicate": replicate, "output_spread": 0.3}
            row["relative_loss"] = 0.1 if rng.random() < chance else 1.0
            rows.append({**cell, **row})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("post", POSTS)
def test_verdicts_on_a_post_do_not_depend_on_its_texts(post):
    case = cases.load(CONF, post)
    frame = random_runs(case, 8)

    def judged(case):
        scenarios = forum.measured(frame, case)
        words = [claims.judged(claim, scenarios) for claim in case["claims"]]
        tables = {name: table.to_csv() for name, table in forum.tables(scenarios).items()}
        untold = {**case, "claims": [STRIPPED] * len(words)}
        return forum.summary(untold, scenarios, words), tables

    with_texts, tables = judged(case)
    assert judged(stripped(case)) == (with_texts, tables)
    found = {f["verdict"] for s in with_texts["scenarios"] for f in s["factors"]}
    assert "guilty" in found
    assert any(claim["numbers"] for claim in with_texts["claims"])


STRIPPED = {"by": "", "claim": ""}


def stripped(node):
    """The same with every text for readers empty."""
    if isinstance(node, dict):
        return {k: "" if k in TEXTS else stripped(v) for k, v in node.items()}
    return [stripped(item) for item in node] if isinstance(node, list) else node


def test_the_texts_for_readers_are_all_that_a_case_has_besides_data():
    from dataclasses import fields

    from sweeps.config import CaseConfig, ClaimConfig, FactorConfig, ScenarioConfig

    parts = (CaseConfig, FactorConfig, ScenarioConfig, ClaimConfig)
    texts = {f.name for part in parts for f in fields(part) if f.type == "str"}
    assert texts == {*TEXTS, "level", "kind"}


@pytest.mark.parametrize(("typed", "meant"), [("02", "002"), ("1", "001"), ("0", "000")])
def test_an_unknown_post_is_refused(typed, meant, capsys):
    assert reproduce.main([typed]) == 2
    assert capsys.readouterr().err == (
        f"`case` must be one of 000, 001, 002, 003, 004; got {typed}. Did you mean {meant}?\n"
    )


def test_what_cannot_be_written_is_blamed_on_the_place_of_the_pages(capsys, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    assert reproduce.main(["002", "--reports", str(taken)]) == 2
    assert capsys.readouterr().err == (
        f"`--reports` must be a directory that can be written; got {taken}: Not a directory. "
        "Give another as --reports DIR.\n"
    )


def test_a_store_that_cannot_be_read_is_blamed_and_not_the_place_of_the_pages(
    capsys, tmp_path, monkeypatch
):
    def judge(name, case, given, sweep, folder):
        endings.runs(given.store, sweep)

    (tmp_path / "store" / "sweeps").mkdir(parents=True)
    manifest = tmp_path / "store" / "sweeps" / "case-002.parquet"
    manifest.write_bytes(b"")
    monkeypatch.setattr(reproduce, "_train", lambda name, sweep, given: sweep)
    monkeypatch.setattr(reproduce, "_judge", judge)
    monkeypatch.setattr(columns.pq, "ParquetFile", denied)
    line = ["002", "--store", str(tmp_path / "store"), "--reports", str(tmp_path / "pages")]
    assert reproduce.main(line) == 1
    message = f"{manifest} could not be read: Permission denied. Nothing was changed.\n"
    assert capsys.readouterr().err.endswith(message)


def test_a_full_disk_is_no_bad_input(capsys, tmp_path, monkeypatch):
    def judge(name, case, given, sweep, folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reproduce, "_train", lambda name, sweep, given: sweep)
    monkeypatch.setattr(reproduce, "_judge", judge)
    pages = tmp_path / "pages"
    assert reproduce.main(["002", "--store", str(tmp_path), "--reports", str(pages)]) == 1
    assert capsys.readouterr().err.endswith(
        f"{pages} could not be written: No space left on device. What was trained is kept; make "
        "room and give the same command again.\n"
    )


def test_an_interrupted_command_says_what_is_kept(capsys, tmp_path, monkeypatch):
    def interrupted(name, sweep, given):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "_train", interrupted)
    line = ["002", "--store", "some", "--reports", str(tmp_path)]
    assert reproduce.main(line) == 130
    assert capsys.readouterr().err.endswith(
        "Interrupted. What was trained is kept in some/. Give the same command again to go on.\n"
    )


def test_a_mend_that_may_be_more_than_is_needed_is_printed_as_such():
    scenario = {
        "name": "shown",
        "data": "moons",
        "complaint": None,
        "trains_as_posted": 0.25,
        "trains_mended": 1.0,
        "factors": [{"factor": "init", "verdict": "latent"}],
        "minimal": [["step"]],
        "perhaps_minimal": [["init", "bias"]],
    }
    expected = ["shown", "moons", "-", "25%", "100%", "", "init", "step or perhaps init + bias"]
    assert reproduce._row(scenario) == expected
    assert reproduce._row({**scenario, "minimal": [[]], "perhaps_minimal": []})[-1] == "nothing"
    assert reproduce._row({**scenario, "minimal": [], "perhaps_minimal": []})[-1] == "undecided"


@pytest.mark.parametrize(
    "content", [b"", b'{"from": "x", "verd', b"[]", b"3", b"{}", b"\xff\xfe", b"null"]
)
def test_a_damaged_verdict_is_as_good_as_none(content, tmp_path):
    given = reproduce.parser().parse_args(["--store", str(tmp_path)])
    (tmp_path / "002").mkdir()
    (tmp_path / "002" / "index.html").write_text("")
    (tmp_path / "002" / reproduce.KEPT).write_bytes(content)
    assert reproduce._last("002", given, tmp_path) is None


def denied(path):
    raise PermissionError(errno.EACCES, f"Failed to open {path}")
