"""CONTRIBUTING.md keeps its promise: a function and an entry are all that a new thing takes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTION = re.compile(
    r"### .*?: `(?P<table>\w+)` in `(?P<file>[\w/]+\.py)`\n\n"
    r"```python\n(?P<function>.*?)```\n\n```python entry\n(?P<entry>.*?)```",
    re.DOTALL,
)
ADDED = {
    "ACTIVATIONS": "hard_tanh",
    "INITIALIZERS": "lecun_uniform",
    "DATASETS": "diagonal",
    "PROBES": "bias_norm",
}
TRAIN = "activation=hard_tanh init=lecun_uniform data=diagonal epochs=100 replicates=3"


def put_in(copy, found):
    """Type what the page shows: the function above the table, the entry at its end."""
    file = copy / found["file"]
    text = file.read_text(encoding="utf-8")
    head = re.search(rf"^{found['table']}\b.*= MappingProxyType\(\n    \{{\n", text, re.MULTILINE)
    end = text.index("\n    }\n)\n", head.end())
    entry = "".join(f"        {line}\n" for line in found["entry"].splitlines())
    above, table, below = text[: head.start()], text[head.start() : end + 1], text[end + 1 :]
    text = f"{above}{found['function']}\n\n{table}{entry}{below}"
    file.write_text(text, encoding="utf-8")


def run(copy, *arguments):
    environment = os.environ | {"PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    copy = tmp_path_factory.mktemp("contributing") / "project"
    copy.mkdir()
    for folder in ("analysis", "bpcore", "conf", "hydra_plugins", "sweeps"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", copy)
    for found in SECTION.finditer(PAGE):
        put_in(copy, found)
    [yaml] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (copy / "conf" / "data" / "diagonal.yaml").write_text(yaml, encoding="utf-8")
    return copy


def test_the_page_shows_an_entry_of_every_table():
    assert {
        found["table"]: re.match(r'"(\w+)":', found["entry"])[1] for found in SECTION.finditer(PAGE)
    } == ADDED


def test_all_four_can_be_trained_with_and_read_back(extended):
    trained = run(extended, "train.py", *TRAIN.split())
    assert (trained.returncode, trained.stderr) == (0, "")
    read = run(
        extended,
        "-c",
        "from sweeps import records\n"
        "run = records.runs().iloc[0]\n"
        "print(run.activation, run.init, run.data, run.outcome)\n"
        "layers = records.layers()\n"
        "print(len(layers) > 0, (layers.bias_norm >= 0).all(), layers.bias_norm.max() > 0)\n",
    )
    assert read.stdout.splitlines() == [
        "hard_tanh lecun_uniform diagonal finished",
        "True True True",
    ]


def test_the_help_lists_the_new_data_set(extended):
    assert "data=diagonal" in run(extended, "train.py", "--help").stdout


def test_the_description_of_the_store_has_a_line_for_the_new_probe(extended):
    page = run(extended, "-m", "sweeps.schema_doc").stdout
    assert "| `history_bias_norm` | list of lists of float32 |" in page


def test_the_new_activation_passes_the_gradient_check(extended):
    # The one that is most easily wrong: its slope, seen through a whole network.
    checked = run(
        extended,
        "-c",
        "import numpy as np\n"
        "from bpcore import Data, RunSpec, StackSpec, train\n"
        "from bpcore.activations import ACTIVATIONS\n"
        "entry = ACTIVATIONS['hard_tanh']\n"
        "z = np.array([-2.0, -0.5, 0.3, 1.7]); a, b, s = (np.empty(4) for _ in range(3))\n"
        "entry.value(z - 1e-6, a); entry.value(z + 1e-6, b); entry.slope_at_z(z, s)\n"
        "print(np.allclose((b - a) / 2e-6, s))\n",
    )
    assert checked.stdout == "True\n"
