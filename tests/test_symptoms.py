"""Symptoms: rules on hand-made traces, and on runs whose parameters are looked at."""

import numpy as np
import pandas as pd
import pytest

from analysis import symptoms

EPOCHS = [0, 1, 10, 100, 400, 1000]


def run(**changes):
    """A row of a healthy run of two hidden layers and six records, with changes."""
    K = len(EPOCHS)

    def layers(*values):
        return [np.array(values, np.float32) for _ in range(K)]

    row = {
        "outcome": "finished",
        "steps": 1000,
        "epochs": 1000,
        "samples": 200,
        "batch_size": None,
        "depth": 2,
        "loss": "binary_cross_entropy",
        "classes": 2,
        "dtype": "float64",
        "reduction": "mean",
        "n_out": 1,
        "prior_loss": np.log(2),
        "history_epoch": EPOCHS,
        "history_loss": [0.7, 0.69, 0.5, 0.2, 0.12, 0.1],
        "history_output_spread": [0.1, 0.1, 0.3, 0.4, 0.4, 0.4],
        "history_dead_fraction": layers(0, 0.25, 0),
        "history_saturated_fraction": layers(np.nan, np.nan, np.nan),
        "history_grad_norm": layers(0.1, 0.1, 0.1),
        "history_weight_norm": layers(3, 3, 1),
        "history_update_ratio": layers(1e-3, 1e-3, 1e-3),
    }
    return row | changes


def judge(*rows, until=1.0):
    return symptoms.judge(pd.DataFrame(list(rows)), until)


def test_a_run_that_learns_is_healthy_and_nothing_else():
    [judged] = judge(run()).to_dict("records")
    assert [name for name, value in judged.items() if value] == ["healthy"]


def test_columns_are_the_symptoms_and_rows_keep_their_index():
    frame = pd.DataFrame([run(), run()], index=["b", "a"])
    judged = symptoms.judge(frame)
    assert list(judged) == list(symptoms.SYMPTOMS)
    assert list(judged.index) == ["b", "a"]
    assert set(map(str, judged.dtypes)) == {"boolean"}


@pytest.mark.parametrize("until", [0, -0.1, 1.5])
def test_until_is_a_share(until):
    with pytest.raises(ValueError, match="`until` must be above 0 and at most 1; got"):
        judge(run(), until=until)
