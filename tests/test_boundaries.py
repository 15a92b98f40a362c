import numpy as np
import pandas as pd
import pytest

from analysis.boundaries import boundary


def runs(shares, n=20, **columns):
    """Runs of which, at each scale, so many in twenty show the symptom."""
    rows = [
        {"init_scale": scale, "stuck": k < share * n}
        for scale, share in shares.items()
        for k in range(n)
    ]
    usual = {"activation": "relu", "depth": 2, "width": "8", "lr": 0.1}
    return pd.DataFrame(rows).assign(**{**usual, **columns})


def test_the_boundary_lies_where_the_share_passes_one_half():
    # From 0.75 at 0.01 to 0.25 at 1: the middle of the logarithms.
    [row] = boundary(runs({0.01: 0.75, 1.0: 0.25}), ["stuck"]).to_dict("records")
    assert row.pop("init_scale") == pytest.approx(0.1)
    assert row == {
        "symptom": "stuck",
        "activation": "relu",
        "depth": 2,
        "width": "8",
        "lr": 0.1,
        "side": "below",
        "n": 20,
    }


def test_a_share_of_one_half_is_on_the_boundary():
    [row] = boundary(runs({0.01: 1.0, 0.1: 0.5, 1.0: 0.0}), ["stuck"]).to_dict("records")
    assert row["init_scale"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("shares", "scale"),
    [
        ({0.01: 1.0, 0.1: 0.5, 1.0: 1.0}, []),  # touched, and back
        ({0.01: 0.0, 0.1: 0.5, 1.0: 0.0}, []),
        ({0.01: 0.5, 0.1: 0.5, 1.0: 0.5}, []),
        ({0.01: 0.5, 0.1: 0.0, 1.0: 0.0}, []),  # where it comes from was not tried
        ({0.01: 0.0, 0.1: 0.5, 1.0: 0.5, 10.0: 1.0}, [np.sqrt(0.1)]),  # as long as it is even
    ],
)
def test_only_a_share_that_passes_one_half_has_a_boundary(shares, scale):
    assert boundary(runs(shares), ["stuck"])["init_scale"].tolist() == pytest.approx(scale)


def test_networks_without_a_hidden_layer_have_a_boundary_too():
    found = boundary(runs({0.01: 1.0, 1.0: 0.0}, depth=0, width=None), ["stuck"])
    assert found["init_scale"].tolist() == pytest.approx([0.1])


def test_a_symptom_on_both_ends_has_two_boundaries():
    found = boundary(runs({0.01: 1.0, 0.1: 0.0, 1.0: 0.0, 10.0: 1.0}), ["stuck"])
    assert found["side"].tolist() == ["below", "above"]
    assert found["init_scale"].to_numpy() == pytest.approx(np.sqrt([1e-3, 10.0]))


def test_without_a_crossing_there_is_no_row_and_the_columns_stay():
    found = boundary(runs({0.01: 0.0, 1.0: 0.2}), ["stuck"])
    assert found.empty
    assert list(found) == [
        "symptom", "activation", "depth", "width", "lr", "init_scale", "side", "n",
    ]  # fmt: skip


def test_every_combination_has_its_own_and_missing_is_not_shown():
    some = runs({0.1: 1.0, 1.0: 0.0})
    other = runs({1.0: 1.0, 10.0: 0.0}, lr=1.0)
    unknown = runs({0.1: 1.0, 1.0: 0.0}, lr=3.0).astype({"stuck": object}).assign(stuck=None)
    found = boundary(pd.concat([some, other, unknown]), ["stuck"])
    assert found["lr"].tolist() == [0.1, 1.0]
    assert found["init_scale"].to_numpy() == pytest.approx(np.sqrt([0.1, 10.0]))


def test_a_frame_without_the_columns_is_refused():
    with pytest.raises(ValueError, match="`frame` must have a column depth and stuck; got none"):
        boundary(runs({1.0: 1.0}).drop(columns=["depth", "stuck"]), ["stuck"])
