"""Reports end to end: from sweeps that are trained here to pages, pictures, tables and links."""

import contextlib
import io
import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from test_frames import made as studied
from test_frames import trained

import report
from analysis.boundaries import boundaries
from analysis.loading import load
from analysis.report import build
from analysis.report import findings as happened
from analysis.report.page import _setting
from analysis.report.section import Section
from sweeps import records

SCRIPT = "<script>document.title=1</script>"
FORMULA = r"$x^,{"
SMALL = "data=xor epochs=20"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory with a store of small sweeps."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=40), "_b": rng.normal(size=40)}
    for name in (SCRIPT, FORMULA, "_y"):
        columns[name] = (columns["a"] + rng.normal(size=40) > 0).astype(int)
    pd.DataFrame(columns).to_csv(folder / "odd.csv", index=False)
    targets = ",".join(f'"{name}"' for name in (SCRIPT, FORMULA, "_y"))
    with contextlib.chdir(folder):
        trained(
            "store",
            f"activation=relu replicates=2 {SMALL} name=one",
            f"-m activation=relu,tanh init_scale=1,1e-3 replicates=1 {SMALL} name=single",
            "-m lr=1e6,1e7 activation=relu,tanh output=identity loss=squared_error replicates=3 "
            "data=xor epochs=60 name=broken",
            f"-m lr=1e200 init_scale=1e200 replicates=2 loss=squared_error {SMALL} name=born",
            "-m activation=relu,tanh lr=0.1,1 depth=1,2 bias=true,false optimizer=sgd,adam "
            "dtype=float32,float64 reduction=mean,sum output=sigmoid,softmax only=\"'depth==1 or "
            "lr<1'\" replicates=1 data=xor epochs=2 name=eight",
            "-m data=table data.path=odd.csv data.task=classification lr=0.1,100 depth=1,8 "
            f"replicates=6 epochs=20 'data.target={targets}' name=odd",
            f"-m momentum=0.5,0.9 optimizer=sgd replicates=8 {SMALL} name=dummy",
            f"-m activation=relu,tanh lr=0.1,1 replicates=6 {SMALL} name=later",
        )
        manifest = Path("store/sweeps/later.parquet").read_bytes()
        trained("part", f"-m activation=relu lr=0.1,1 replicates=6 {SMALL} name=other")
        Path("part/sweeps/later.parquet").write_bytes(manifest)
        yield folder


def run(line):
    """Give `python report.py` a command line; return status, output and error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = report.main(shlex.split(line))
    return status, out.getvalue(), err.getvalue()


class Page(HTMLParser):
    """What a browser would make of a page: texts, attributes, elements."""

    def __init__(self, path):
        super().__init__()
        self.path, self.source = path, path.read_text(encoding="utf-8")
        self.elements, self.texts, self.open = [], [], []
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if not self.open:
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def of(self, attribute):
        return [a[attribute] for _, a in self.elements if attribute in a]


def check(page):
    """Whatever it is about, a page needs nothing else, and its links lead somewhere."""
    folder = page.path.parent
    for target in page.of("href") + page.of("src"):
        if target.startswith("#"):
            assert target[1:] in page.of("id")
        elif not target.startswith("data:"):
            assert "://" not in target
            assert (folder / unquote(target)).is_file()
    assert "@import" not in page.source
    assert not re.search(r"url\(\s*['\"]?(?!data:)\w", page.source)
    outside = [a for tag, a in page.elements if tag in ("link", "iframe", "object", "embed")]
    assert [a.get("href") for a in outside] == ["data:,"]  # no icon is asked for
    assert [tag for tag, _ in page.elements].count("script") == 2
    ids = page.of("id")
    assert len(ids) == len(set(ids))
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\n]*\]\(([^)]*)\)", markdown)
    assert sorted(pictures) == sorted(f"figures/{p.name}" for p in folder.glob("figures/*.png"))
    assert all((folder / unquote(picture)).is_file() for picture in pictures)
    cells = re.search(r'<script [^>]*json" id="cells">(.*?)</script>', page.source, re.S)
    return json.loads(cells[1])


def made(place, line, folder):
    status, out, err = run(line)
    assert (status, err) == (0, ""), err
    assert out.rstrip().endswith(f"Report:  {Path('reports') / folder / 'index.html'}")
    page = Page(place / "reports" / folder / "index.html")
    return page, check(page), out


@pytest.fixture(scope="module")
def odd(place):
    return made(place, "odd", "odd")


def test_one_cell_has_nothing_to_be_compared_with(place):
    page, cells, out = made(place, "one", "one")
    assert out.startswith("2 runs in 1 cell, 2 replicates: ")
    assert [cell["name"] for cell in cells["cells"]] == ["the one cell"]
    assert "Nothing was varied." in page.text
    assert "No axis of names was varied." in page.text


def test_the_settings_that_all_runs_share_are_named(place):
    page, _, _ = made(place, "single", "single")
    [line] = re.findall(r"The same in all runs: [^.]*(?:\.\d[^.]*)*\.", page.text)
    for setting in (
        "data xor",
        "depth 2",
        "lr 0.1",
        "batch_size full",
        "epochs 20",
        "dtype float64",
    ):
        assert setting in line
    assert "activation" not in line  # an axis
    assert "init " not in line  # he_normal for relu, glorot_normal for tanh
    assert "weight_decay" not in line  # there is none


def test_a_setting_of_zero_is_named_unless_it_stands_for_nothing():
    assert _setting("lr", 0.0) == "0"
    assert _setting("epochs", 0) == "0"
    assert _setting("batch_size", float("nan")) == _setting("batch_size", pd.NA) == "full"
    assert _setting("weight_decay", 0.0) == _setting("defects", []) == ""


def test_one_replicate_is_too_few_to_tell(place):
    page, _, out = made(place, "single", "single")
    assert out.startswith("4 runs in 4 cells, 1 replicate: ")
    table = pd.read_csv(place / "reports/single/tables/comparisons.csv")
    assert set(table["verdict"]) == {"undecided"}
    assert "these 1 replicate cannot tell" in page.text or "cannot tell them apart" in page.text


def test_where_initial_scales_vary_the_boundary_of_failures_is_written(place):
    made(place, "single", "single")
    runs = load("store", ["single"])
    written = pd.read_csv(place / "reports/single/tables/boundary.csv")
    pd.testing.assert_frame_equal(written, boundaries(runs).astype(written.dtypes))
    columns = ["symptom", "activation", "depth", "width", "lr", "init_scale", "side", "n"]
    assert list(written) == columns
    # With one replicate a share is none or all: half of it is in the middle of the logarithms.
    assert written["init_scale"].tolist() == pytest.approx([10**-1.5] * len(written))
    assert len(written)
    assert not (place / "reports/one/tables/boundary.csv").exists()


def test_runs_that_all_diverged_are_said_to_have(place):
    page, cells, out = made(place, "broken", "broken")
    assert out.startswith("12 runs in 4 cells, 3 replicates: all diverged.")
    assert set(records.runs("store", "broken")["outcome"]) == {"diverged"}
    assert {name for cell in cells["cells"] for name in cell["runs"]} == {"diverged"}
    assert "∞" in page.text


def test_runs_that_were_infinite_before_the_first_step_are_a_report_too(place):
    _, _, out = made(place, "born", "born")
    assert out.startswith("2 runs in 1 cell, 2 replicates: all diverged.")


def test_runs_that_cannot_be_judged_are_neither_healthy_nor_not():
    study = studied({"lr": [0.1, 1.0]}, symptom="unknown")
    said = happened.lead(study, happened.outcomes(study))
    assert said == (
        "20 runs in 2 cells, 10 replicates: none healthy, 0 not, "
        "20 that cannot be told from their probes."
    )
    assert happened.nothing(study) == (
        "No failure was seen, but runs were trained without the probes that would show it: "
        "leave probes out of the command."
    )
    mixed = ["healthy", "unknown", "slow", "slow", "slow"]
    study = studied({"lr": [0.1, 1.0]}, symptom=lambda at: mixed[at["replicate"] % 5])
    assert happened.lead(study, happened.outcomes(study)).endswith(
        ": 4 healthy, 12 not, 4 that cannot be told from their probes."
    )


def test_two_hundred_cells_of_eight_axes(place):
    page, cells, out = made(place, "eight", "eight")
    assert len(cells["cells"]) == 192
    assert out.startswith("192 runs in 192 cells, 1 replicate: ")
    terms = pd.read_csv(place / "reports/eight/tables/importance.csv")
    assert len(terms) == 8 + 28 + 2
    assert len(page.source) < 5e6


def test_an_axis_that_does_nothing_gives_no_finding_and_no_verdict(place):
    _, _, out = made(place, "dummy", "dummy")
    assert "  1. " not in out
    terms = pd.read_csv(place / "reports/dummy/tables/importance.csv").set_index("label")["share"]
    assert terms["momentum"] == 0
    table = Path("reports/dummy/tables/comparisons.csv")
    assert set(pd.read_csv(table)["verdict"]) <= {"undecided"}


def test_an_interrupted_sweep_says_how_many_runs_are_missing(place):
    status, _, err = run("later --store part --out partly")
    assert (status, err) == (0, "")
    page = Page(place / "partly" / "index.html")
    check(page)
    missing = "12 runs of the sweep are not in the store yet."
    assert missing in page.text
    assert missing in (place / "partly/report.md").read_text()


def test_the_pages_of_posts_are_never_written_over(place):
    manifest = Path("store/sweeps/one.parquet").read_bytes()
    Path("store/sweeps/Forum.parquet").write_bytes(manifest)  # as an earlier bpcore allowed
    try:
        ended = run("Forum")
    finally:
        Path("store/sweeps/Forum.parquet").unlink()
    assert ended == (
        2,
        "",
        "`--out` must be given for a sweep named Forum, since reports/Forum is for the pages of "
        "reproduce.py. Give it as --out DIR.\n",
    )


def test_two_sweeps_side_by_side(place):
    page, _, out = made(place, "single later", "single+later")
    assert out.startswith("28 runs in 8 cells, 6 replicates: ")
    axes = re.search(r'<dl class="axes">(.*?)</dl>', page.source, re.S)[1]
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", axes) == [
        ("sweep", "single, later"),
        ("activation", "relu, tanh"),
        ("init_scale", "0.001, 1"),
        ("lr", "0.1, 1"),
    ]
    table = pd.read_csv(place / "reports/single+later/tables/comparisons.csv")
    assert {"sweep", "activation"} <= set(table["axis"])


def test_a_condition_over_the_store_keeps_the_runs_that_fulfill_it(place):
    status, out, err = run("""--where "activation == 'tanh' and init_scale < 0.1" --out kept""")
    assert (status, err) == (0, "")
    assert out.startswith("1 run in 1 cell, 1 replicate: ")
    page = Page(place / "kept/index.html")
    assert "init_scale=0.001" in page.source
    condition = "activation == 'tanh' and init_scale < 0.1"
    assert f"Only runs for which {condition} holds" in page.text
    assert shlex.join(["python", "report.py", "--where", condition]) in page.text


def test_a_name_that_looks_like_a_script_is_a_text(odd, place):
    page, cells, _ = odd
    assert SCRIPT in page.text
    assert SCRIPT not in page.source
    assert any(SCRIPT in cell["name"] for cell in cells["cells"])
    markdown = (place / "reports/odd/report.md").read_text(encoding="utf-8")
    outside = re.sub(r"^ {4,}\S.*$", "", markdown, flags=re.M)  # blocks of code stay as typed
    assert "<script" not in outside
    assert "&lt;script&gt;" in outside
    table = pd.read_csv(place / "reports/odd/tables/rates.csv")
    assert set(table["data.target"]) == {SCRIPT, FORMULA, "_y"}


def test_a_picture_is_an_image_in_which_nothing_can_run(odd):
    page, _, _ = odd
    assert all(src.startswith("data:image/svg+xml;base64,") for src in page.of("src"))


def test_panels_of_maps_lie_where_their_cells_are(odd, place):
    page, cells, _ = odd
    found = 0
    for _, attributes in page.elements:
        if "data-panels" not in attributes:
            continue
        panels = json.loads(attributes["data-panels"])
        boxes = json.loads(attributes["data-geometry"])
        assert len(panels) == len(boxes) == 3
        for left, top, right, bottom in boxes:
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1
        numbers = [n for panel in panels for row in panel for square in row for n in square]
        assert sorted(numbers) == list(range(len(cells["cells"])))
        for panel in panels:
            for row, depth in zip(panel, (1, 8), strict=True):
                for [number], lr in zip(row, ("0.1", "100"), strict=True):
                    name = cells["cells"][number]["name"]
                    assert f"depth {depth}" in name
                    assert f"lr {lr}" in name
        found += 1
    assert found


def test_tables_hold_what_the_page_says(odd, place):
    _, _, out = odd
    outcomes = pd.read_csv(place / "reports/odd/tables/outcomes.csv")
    runs = records.runs("store", "odd")
    assert outcomes["runs"].sum() == len(runs) == 72
    rates = pd.read_csv(place / "reports/odd/tables/rates.csv")
    failing = outcomes[outcomes["symptom"] != "healthy"].set_index("symptom")["runs"]
    assert rates.groupby("symptom")["hits"].sum().to_dict() == failing.to_dict()
    found = pd.read_csv(place / "reports/odd/tables/findings.csv")
    assert {"symptom", "axis", "bad", "good", "bad_hits", "bad_runs", "bad_low", "p"} <= {*found}
    assert len(re.findall(r"^  \d\. ", out, re.M)) == min(3, len(found))


def test_commands_of_runs_train_exactly_these_runs_again(odd, place):
    markdown = (place / "reports/odd/report.md").read_text(encoding="utf-8")
    commands = re.findall(r"^      python train.py (.*)$", markdown, re.M)
    assert 2 <= len(commands) <= 10
    stored = records.runs("store", "odd").set_index("run")["final_loss"]
    for number, command in enumerate(commands[:2]):
        trained(f"again{number}", command)
        [again] = records.runs(f"again{number}").to_dict("records")
        assert again["final_loss"] == stored[again["run"]] or np.isnan(again["final_loss"])


def test_the_command_of_a_cell_trains_the_runs_of_that_cell(odd, place):
    _, cells, _ = odd
    cell = cells["cells"][-1]
    _, _, *overrides = shlex.split(cell["command"])
    trained("cell", shlex.join([*overrides, "replicates=6"]))
    frame = records.runs("store", "odd")
    again = set(records.runs("cell")["run"])
    assert again == set(frame[frame["cell"] == frame["cell"].max()]["run"])


def test_the_same_report_again_changes_no_picture(odd, place):
    folder = place / "reports/odd"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("figures/*.[sp][vn]g")}
    text = (folder / "index.html").read_bytes()
    made(place, "odd", "odd")
    assert {path: path.stat().st_mtime_ns for path in folder.glob("figures/*.[sp][vn]g")} == before
    assert (folder / "index.html").read_bytes() == text


def test_files_of_others_in_its_folder_are_left_alone(tmp_path):
    def tables(*names):
        return [Section("any", "Any", tables={name: pd.DataFrame({"n": [1]}) for name in names})]

    own = tmp_path / "thesis.csv"
    own.write_text("kept")
    build.write_tables(tables("rates", "loss"), tmp_path)
    build.write_tables(tables("rates"), tmp_path)
    assert own.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["rates.csv", "thesis.csv"]


def test_sweeps_are_listed(place):
    status, out, err = run("--list")
    assert (status, err) == (0, "")
    for name in ("one", "single", "broken", "eight", "odd"):
        assert re.search(rf"^ {name} ", out, re.M)


NONE_KEPT = "`--where` must keep at least one run; got lr>1e300, which none of 2 fulfills.\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('one --where "lr>1e300"', NONE_KEPT),
        ("nosuch", "`sweep` must be one of those in store: "),
        ("--store empty", "A report must have runs; empty has none yet. Train some first: "),
        ("--store empty --where lr>1", "A report must have runs; empty has none yet. Train some"),
        ('one --where "lr >"', "`--where` must be a condition such as lr*depth < 1; got lr >"),
        (
            'one --where "dept > 1"',
            "`--where` must name columns of the runs, as docs/store.md explains them (depth, ",
        ),
        ("one --out odd.csv", "`--out` must be a directory that can be written; got odd.csv: "),
    ],
)
def test_bad_input_is_said_in_a_sentence(place, line, message):
    status, out, err = run(line)
    assert (status, out) == (2, "")
    assert err.startswith(message)
    assert "Traceback" not in err
    assert not (place / "empty").exists()


def test_a_store_that_cannot_be_read_is_blamed_and_not_the_place_of_the_report(place):
    shutil.copytree("store", "bare")
    [lost] = Path("bare/provenance").iterdir()
    lost.unlink()
    assert run("one --store bare --out fine") == (
        1,
        "",
        f"{lost} could not be read: No such file or directory. Nothing was changed.\n",
    )
    Path("bare/parts/later.parquet").mkdir()
    status, out, err = run("one --store bare")
    assert (status, out) == (1, "")
    assert err.startswith("bare/parts/later.parquet could not be read: ")


def test_a_report_without_a_place_takes_no_run_from_the_training(train, tmp_path):
    (tmp_path / "reports").write_text("a file")
    ended = train(f"-m activation=relu,tanh replicates=1 {SMALL} name=with report=true store=here")
    assert ended.status == 1
    assert "Results: here/, sweep with\n" in ended.out
    assert ended.err == (
        "The report could not be written to reports/with: Not a directory.\n"
        "The training is done and its 2 runs are in here/. "
        "Try the report again: python report.py with --store here --out DIR\n"
    )
    status, out, err = run("with --store here --out elsewhere")
    assert (status, err) == (0, "")
    assert out.startswith("2 runs in 2 cells, 1 replicate: ")


def test_of_many_columns_the_nearest_are_listed(place):
    _, _, err = run('one --where "dept > 1"')
    [listed] = re.findall(r"\((.*)\); got dept\. Did you mean depth\?\n$", err)
    assert listed.startswith("depth, ")
    assert listed.endswith(", ...")
    assert len(listed.split(", ")) == 7


def test_train_ends_with_a_report_unless_it_is_told_not_to(train, tmp_path):
    ended = train(f"-m activation=relu,tanh replicates=1 {SMALL} name=with report=true")
    assert ended.status == 0, ended.err
    assert "Report:  reports/with/index.html" in ended.out
    check(Page(tmp_path / "reports/with/index.html"))
    ended = train(f"-m activation=relu,tanh replicates=1 {SMALL} name=without report=false")
    assert ended.status == 0
    assert "Report:" not in ended.out
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["with"]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        (
            "experiment=dead_relu depth=2,12 lr=0.1,1 epochs=100",
            r"1\. (?=.*depth 12)(?=.*relu).*: \d+ of \d+ runs have a dead layer "
            r"\[\d+, \d+ %\]; ",
        ),
        (
            "experiment=stuck_at_ln2 activation=tanh depth=4 init_scale=0.01,1 lr=0.1 epochs=100",
            r"1\. .*init_scale 0\.01.*: \d+ of \d+ runs are stuck at 0\.693, the loss of guessing "
            r"\[\d+, \d+ %\]; at init_scale 1 ",
        ),
    ],
    ids=["dead_relu", "stuck_at_ln2"],
)
def test_an_experiment_reports_its_failure_first_with_its_place(train, tmp_path, line, first):
    ended = train(f"{line} report=true")
    assert ended.status == 0, ended.err
    [sentence] = re.findall(r"^  (1\. .*)$", ended.out, re.M)
    assert re.match(first, sentence), sentence
    [page] = tmp_path.glob("reports/*/index.html")
    page = Page(page)
    check(page)
    assert sentence.removeprefix("1. ") in page.text
    # The first link of the list leads to a map of this failure, or its rate along the one axis.
    links = re.search(r'<ol class="findings">.*?href="#([^"]*)"', page.source, re.S)
    assert links[1].startswith(("figure-map-dead_layer-", "figure-rates-init_scale"))


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("name", "failure"),
    [("dead_relu", "have a dead layer"), ("stuck_at_ln2", "are stuck at 0.693")],
)
def test_the_whole_experiment_reports_its_failure_first(train, name, failure):
    ended = train(f"experiment={name} report=true")
    [sentence] = re.findall(r"^  1\. (.*)$", ended.out, re.M)
    assert failure in sentence
