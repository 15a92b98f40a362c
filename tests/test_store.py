"""The store: whole files or none, what was written is kept, and what its commands print."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from bpcore import train_stack
from sweeps import engine, plan, provenance, rows, store
from sweeps.errors import BadInput, StoreFailed
from sweeps.resolve import core_data
from sweeps.scanning import scan
from sweeps.schema import SCHEMA, SCHEMA_VERSION
from sweeps.store import Store, Writer
from tests.test_plan import runs_of

RUNS = runs_of({"replicates": 4}, {"activation": "tanh", "replicates": 3})


def trained(runs, where="0" * 16):
    """Train runs of one shape and return their rows."""
    [stack] = plan.stacks(runs, set())
    result = train_stack(stack.spec, stack.runs, core_data(runs[0].setting.prepared))
    return rows.table(stack, result, where)


@pytest.fixture(scope="module")
def relu():
    return trained(RUNS[:4])


@pytest.fixture(scope="module")
def tanh():
    return trained(RUNS[4:])


@pytest.fixture
def made(tmp_path):
    return Store(tmp_path / "store")


def files(made):
    return sorted(str(p.relative_to(made.root)) for p in made.root.rglob("*") if p.is_file())


def full_disk():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# Files


def test_what_was_written_is_known_and_read_back(made, relu, tanh):
    assert made.known() == set()
    made.write_part(relu)
    assert made.known() == {run.id for run in RUNS[:4]}
    made.write_part(tanh)
    assert made.known() == {run.id for run in RUNS}
    assert scan(made.root)["run"].to_pylist() == [run.id for run in RUNS]


@pytest.mark.parametrize("failure", [full_disk(), KeyboardInterrupt(), MemoryError()])
def test_a_write_that_fails_midway_leaves_no_file(made, relu, monkeypatch, failure):
    def half(table, to, **options):
        to.write_bytes(b"PAR1 and then nothing")
        raise failure

    monkeypatch.setattr(store.pq, "write_table", half)
    with pytest.raises(type(failure)):
        made.write_part(relu)
    with pytest.raises(type(failure)):
        made.write_manifest("name", {}, relu.select(["run"]))
    assert files(made) == []


def test_a_process_killed_while_writing_leaves_nothing_that_is_read(made, relu):
    made.write_part(relu)
    (made.root / "parts" / f"{store.TEMPORARY}abc").write_bytes(b"PAR1 half")
    (made.root / "sweeps" / f"{store.TEMPORARY}abc").write_bytes(b"PAR1 half")
    assert Store(made.root).known() == {run.id for run in RUNS[:4]}
    assert scan(made.root).num_rows == 4
    assert len(pd.read_parquet(made.root / "parts")) == 4


def test_readers_never_see_half_a_part(made, relu):
    stop, failures = threading.Event(), []

    def read():
        while not stop.is_set():
            try:
                assert scan(made.root, None, ["run"]).num_rows in (0, 4)
            except Exception as failure:
                failures.append(failure)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        made.write_part(relu)
    stop.set()
    reader.join()
    assert failures == []


def test_parts_of_one_process_and_of_many_have_names_of_their_own(made, relu, monkeypatch):
    for process in (1, 2):
        monkeypatch.setattr(store.os, "getpid", lambda process=process: process)
        monkeypatch.setattr(store.time, "time_ns", lambda: 0)
        writer = Store(made.root)
        for _ in range(3):
            writer.write_part(relu)
    assert len(made.parts()) == 6


def test_the_first_of_two_equal_runs_is_read(made, relu):
    made.write_part(relu)
    seconds = relu.column("seconds").to_numpy() + 1
    later = relu.set_column(relu.schema.get_field_index("seconds"), "seconds", [seconds])
    made.write_part(later.cast(SCHEMA))
    table = scan(made.root)
    assert table["run"].to_pylist() == [run.id for run in RUNS[:4]]
    assert table["seconds"].to_pylist() == relu["seconds"].to_pylist()


def test_every_part_says_the_version_of_its_columns(made, relu):
    made.write_part(relu)
    [part] = made.parts()
    schema = pq.read_schema(part)
    assert schema.metadata[b"bpcore.schema"] == str(SCHEMA_VERSION).encode()
    assert schema.remove_metadata() == SCHEMA.remove_metadata()


def test_provenance_is_kept_once_for_each_place(made):
    here = provenance.collect() | provenance.code()
    for where in (here, here, here | {"cores": -1}):
        made.write_provenance(where)
    kept = {path.stem: json.loads(path.read_text()) for path in made.root.glob("provenance/*")}
    assert kept == {provenance.identity(w): w for w in (here, here | {"cores": -1})}


def test_provenance_names_code_versions_blas_and_machine():
    where = provenance.collect() | provenance.code()
    assert {"commit", "dirty", "engine", "python", "blas", "machine", "processor"} <= set(where)
    assert where["packages"]["numpy"]
    assert all(pool["internal_api"] for pool in where["blas"])


def test_a_manifest_of_the_same_name_is_replaced_and_can_be_forgotten(made, relu):
    ids = relu.select(["run"])
    made.write_manifest("mine", {"command": "first"}, ids)
    made.write_manifest("mine", {"command": "second"}, ids)
    assert made.has_manifest("mine")
    about = pq.read_schema(made.root / "sweeps" / "mine.parquet").metadata[b"bpcore.sweep"]
    assert json.loads(about) == {"name": "mine", "command": "second"}
    made.remove_manifest("mine")
    made.remove_manifest("mine")
    assert not made.has_manifest("mine")


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput) as refused:
            Store(place)
        assert str(refused.value) == (
            f"`store` must be a directory that can be written; got {place}: Not a directory. "
            "Choose another with store=DIR."
        )


def test_a_directory_that_refuses_files_is_refused(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(BadInput, match="Permission denied"):
        Store(tmp_path / "store")


# The writer's thread


def test_the_writer_writes_all_it_was_given(made, relu, tanh):
    with Writer(made) as writer:
        writer.put(relu)
        writer.put(tanh)
    assert made.known() == {run.id for run in RUNS}


def test_rows_that_come_together_become_one_part(made, relu, tanh, monkeypatch):
    monkeypatch.setattr(store, "FLUSH_SECONDS", 60.0)
    with Writer(made) as writer:
        for _ in range(5):
            writer.put(relu)
            writer.put(tanh)
    assert len(made.parts()) == 1


def test_many_rows_are_written_at_once(made, relu, monkeypatch):
    monkeypatch.setattr(store, "FLUSH_SECONDS", 3600.0)
    monkeypatch.setattr(store, "FLUSH_ROWS", 4)
    written = threading.Event()
    write = made.write_part
    monkeypatch.setattr(made, "write_part", lambda table: (write(table), written.set()))
    with Writer(made) as writer:
        writer.put(relu)
        assert written.wait(30)


def test_an_interruption_still_writes_what_was_handed_over(made, relu):
    def interrupted():
        with Writer(made) as writer:
            writer.put(relu)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert made.known() == {run.id for run in RUNS[:4]}


def test_a_full_disk_ends_the_writer_with_a_sentence_and_keeps_what_was_there(
    made, relu, tanh, monkeypatch
):
    monkeypatch.setattr(store, "FLUSH_SECONDS", 0.0)
    made.write_part(relu)

    def full(table, to, **options):
        to.write_bytes(b"PAR1")
        raise full_disk()

    monkeypatch.setattr(store.pq, "write_table", full)

    def go_on():
        with Writer(made) as writer:
            for _ in range(1000):
                writer.put(tanh)
                writer._thread.join(0.01)

    with pytest.raises(StoreFailed) as failed:
        go_on()
    assert str(failed.value) == (
        f"The store {made.root} could not be written: No space left on device. What was written "
        "before is kept; make room and give the same command again."
    )
    assert made.known() == {run.id for run in RUNS[:4]}
    assert len(files(made)) == 1


def test_a_full_disk_at_the_last_write_is_not_missed(made, relu, monkeypatch):
    def full(table, to, **options):
        raise full_disk()

    monkeypatch.setattr(store.pq, "write_table", full)
    with pytest.raises(StoreFailed, match="No space left on device"), Writer(made) as writer:
        writer.put(relu)


def test_any_other_failure_of_the_writer_ends_the_sweep_too(made, relu, monkeypatch):
    def broken(table):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(made, "write_part", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"), Writer(made) as writer:
        writer.put(relu)


@pytest.mark.parametrize("folder", ["sweeps", "data", "provenance", "parts"])
def test_a_full_disk_ends_a_sweep_with_a_sentence(folder, train, monkeypatch):
    replace = Path.replace

    def full(path, target):
        if Path(target).parent.name == folder and not Path(target).name.startswith("."):
            raise full_disk()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    ended = train("-m data=xor epochs=1 replicates=1 lr=0.1,1")
    assert (ended.status, ended.err) == (
        1,
        "The store store could not be written: No space left on device. What was written before "
        "is kept; make room and give the same command again.\n",
    )


def test_after_room_was_made_the_same_command_goes_on(train, monkeypatch, tmp_path):
    line = "-m data=xor epochs=5 replicates=3 activation=relu,tanh"
    replace, written = Path.replace, []

    def once(path, target):
        if target.parent.name == "parts" and not target.name.startswith("."):
            written.append(target)
            if len(written) > 1:
                raise full_disk()
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", once)
        patch.setattr(store, "FLUSH_SECONDS", 0.0)
        patch.setattr(Writer, "put", _slowly(Writer.put))
        assert train(line).status == 1
    kept = len(scan(tmp_path / "store")["run"])
    assert 0 < kept < 6
    ended = train(line)
    assert (ended.status, engine.DONE[0].trained) == (0, 6 - kept)


def _slowly(put):
    def put_and_wait(self, table):
        put(self, table)
        self._thread.join(0.1)

    return put_and_wait


# python -m sweeps.store


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A directory whose store holds a sweep, `mine`, of two cells and four runs, and a run more."""
    from sweeps.compose import Cell
    from tests.test_resolve import config

    here = tmp_path_factory.mktemp("filled")
    cells = [
        Cell((f"lr={lr}", "name=mine"), config(lr=lr, name="mine", epochs=3, replicates=2))
        for lr in (0.1, 0.5)
    ]
    single = Cell(("seed=4",), config(seed=4, epochs=3, replicates=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr(sys, "orig_argv", ["python", "train.py", "-m", "lr=0.1,0.5", "name=mine"])
        for asked in (cells, [single]):
            patch.setattr(engine, "DONE", [])
            engine.run_cells(asked)
    return here


def command(arguments, capsys):
    status = store.main(arguments)
    return status, *capsys.readouterr()


def test_list_shows_each_sweep_with_its_cells_runs_and_command(filled, monkeypatch, capsys):
    monkeypatch.chdir(filled)
    status, out, err = command(["list"], capsys)
    assert (status, err) == (0, "")
    row = next(line for line in out.splitlines() if " mine " in f" {line}")
    assert row.split()[0] == "mine"
    assert row.split()[4:] == ["2", "4", "python", "train.py", "-m", "lr=0.1,0.5", "name=mine"]
    assert out.rstrip().endswith("5 runs in store/.")


def test_show_prints_every_cell_the_command_and_where_it_was_made(filled, monkeypatch, capsys):
    monkeypatch.chdir(filled)
    status, out, err = command(["show", "mine"], capsys)
    assert (status, err) == (0, "")
    cells = [line.split()[:2] for line in out.splitlines() if line.strip()[:2] in ("0.", "0 ")]
    assert cells == [["0.1", "2"], ["0.5", "2"]]
    assert "python train.py -m lr=0.1,0.5 name=mine" in out
    assert "made by " in out


def test_show_csv_is_a_row_a_run(filled, capsys):
    status, out, err = command(["show", "mine", "--csv", "--store", str(filled / "store")], capsys)
    frame = pd.read_csv(io.StringIO(out))
    assert (status, err) == (0, "")
    assert frame["lr"].tolist() == [0.1, 0.1, 0.5, 0.5]
    assert frame["final_loss"].notna().all()


def test_a_misspelled_sweep_is_answered_with_the_nearest(filled, capsys):
    here = filled / "store"
    names = [path.stem for path in (here / "sweeps").iterdir()]
    [other] = set(names) - {"mine"}
    status, out, err = command(["show", "mime", "--store", str(here)], capsys)
    assert (status, out) == (2, "")
    assert err == (
        f"`sweep` must be one of those in {here}: {other}, mine; got mime. Did you mean mine?\n"
    )


@pytest.mark.parametrize(
    ("name", "problem"), [("nowhere", "which does not exist"), ("other", "which is none")]
)
def test_a_store_that_is_none_is_refused(name, problem, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    for wanted in (["list"], ["show", "mine"]):
        status, out, err = command([*wanted, "--store", str(tmp_path / name)], capsys)
        assert (status, out) == (2, "")
        assert err == (
            f"`--store` must be a store; got {tmp_path / name}, {problem}. "
            "Train a sweep first: python train.py -m activation=relu,tanh\n"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]


def test_an_empty_store_has_no_sweep_yet(made, capsys):
    status, _, err = command(["show", "mine", "--store", str(made.root)], capsys)
    assert status == 2
    assert err == (
        f"`sweep` must be one of those in {made.root}, which has none yet; got mine. "
        "Train one first: python train.py -m activation=relu,tanh\n"
    )
    status, out, _ = command(["list", "--store", str(made.root)], capsys)
    assert (status, out.rstrip().splitlines()[-1]) == (0, f"0 runs in {made.root}/.")


def test_it_runs_as_a_module_and_ends_quietly_in_a_pipe(filled):
    done = subprocess.run(  # noqa: S602 - the pipe is what is tested
        f"{sys.executable} -W error -m sweeps.store show mine --csv | head -1",
        shell=True,
        cwd=filled,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("run,cell,")
    assert done.stderr == ""
