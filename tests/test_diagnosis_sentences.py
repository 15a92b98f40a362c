"""What is said of programs outside the catalogue is true of their numbers."""

import pytest
from subjects import odd
from subjects.asked import of_text
from test_diagnosis_told import net

from diagnosis import diagnose_file
from tests.conftest import ROOT


def findings(name):
    return of_text(odd.SUBJECTS[name].text).findings


def test_a_kernel_in_reverse_order_is_told():
    [finding] = findings("conv_flipped")
    assert finding.arrays == ("K",)
    assert "K: it is the true gradient in reverse order." in finding.evidence
    assert "flips the kernel" in finding.fix


def test_both_penalties_are_told_in_full():
    [finding] = findings("l1_for_l2")
    assert (
        "the gradient of W1 holds 0.006 times sign(W1), that of the loss 0.006 times W1."
        in finding.evidence
    )


def test_one_sample_of_all_is_told():
    [finding] = findings("last_sample")
    assert "it is that of the last sample alone" in finding.evidence
    assert (
        finding.fix == "Add up what the samples give: one is kept, as where a loop says = for +=."
    )


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_a_rate_multiplied_into_the_gradient_is_no_number_of_samples(rate):
    text = net("delta.sum(axis=0)", loss_by="m", delta_by="m").replace(
        "return dict(W1", f"d1, d2 = {rate} * d1, {rate} * d2\n    return dict(W1"
    )
    [finding] = of_text(text).findings
    assert (finding.defect, set(finding.arrays)) == ("unexplained", {"W1", "b1", "W2", "b2"})
    assert f"{rate:g} times the right one" in finding.evidence


def test_the_output_unit_of_an_unknown_loss_is_not_named():
    [finding] = findings("focal_eps_bias")
    assert finding.layer == "output layer 2, hidden layer 1 (tanh)"


def test_kept_shares_of_earlier_gradients_are_told():
    # In a process of its own: fresh copies are what the second answer is compared with.
    answer = diagnose_file(str(ROOT / "tests" / "subjects" / "odd" / "momentum_mean.py"))
    assert any("It adds 0.9 times what it returned before" in e for e in answer.side_effects)
