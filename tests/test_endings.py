import numpy as np
import pytest

from analysis import endings
from sweeps import records


@pytest.fixture
def frame(train, tmp_path):
    done = train(
        "-m activation=relu,tanh data=xor loss=squared_error output=identity epochs=40 lr=0.1,1e30 "
        "replicates=3 name=ends"
    )
    assert done.status == 0
    return endings.runs(tmp_path / "store", "ends")


def test_every_run_of_a_sweep_is_there_with_its_axes(frame):
    assert len(frame) == 12
    assert set(frame["activation"]) == {"relu", "tanh"}
    assert not [name for name in frame if name.startswith("history_")]


def test_a_diverged_run_is_infinitely_bad_and_nothing_else_is_known_of_it(frame):
    diverged = frame[frame["outcome"] == "diverged"]
    assert len(diverged) > 0
    assert np.isinf(diverged["relative_loss"]).all()
    unknown = ["output_spread", "weights_left", "gradient_left", "gradient_ratio", "dead_layer"]
    assert diverged[unknown].isna().all(axis=None)


def test_endings_are_those_of_the_histories(frame, tmp_path):
    finished = frame[frame["outcome"] == "finished"].set_index("run")
    assert len(finished) >= 6
    curves = records.histories(tmp_path / "store", "ends")
    last = curves.groupby("run").last().loc[finished.index]
    assert finished["output_spread"].to_numpy() == pytest.approx(last["output_spread"].to_numpy())
    assert (finished["relative_loss"] == last["loss"] / finished["prior_loss"]).all()
    inside = records.layers(tmp_path / "store", "ends")
    for run, row in finished.iterrows():
        mine = inside[inside["run"] == run]
        norm = np.sqrt(mine.groupby("epoch")["weight_norm"].apply(lambda w: (w**2).sum()))
        assert row["weights_left"] == pytest.approx(norm.iloc[-1] / norm.iloc[0], rel=1e-6)
        start, end = (mine[mine["epoch"] == epoch] for epoch in (0, 40))
        assert row["gradient_left"] == end["grad_norm"].iloc[-1]
        expected = start["grad_norm"].iloc[0] / start["grad_norm"].iloc[-1]
        assert row["gradient_ratio"] == pytest.approx(expected)
        assert row["dead_layer"] == (end["dead_fraction"].iloc[:-1] == 1).any()
