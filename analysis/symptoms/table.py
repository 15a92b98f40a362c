"""The table of symptoms: the name of each, what it is, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from analysis.symptoms import rules
from analysis.symptoms.rules import Flags
from analysis.symptoms.traces import Traces


@dataclass(frozen=True)
class Symptom:
    """One entry of the table.

    Attributes:
        name: key of the table, and name of the column that `judge` makes.
        title: a few words for a heading.
        phrase: what a run does, for a sentence such as "20 of 20 runs <phrase>".
        what: a sentence that says what is seen.
        threshold: a sentence with the numbers of the rule.
        source: where the rule or its numbers are from.
        cure: what mends it.
        experiment: the one that shows it.
        isfailure: whether a run that has it has failed.
        reads: the probes that the rule cannot do without.
        rule: from the traces of R runs to `(R,)` flags; None for healthy, the absence of failures.
    """

    name: str
    title: str
    phrase: str
    what: str
    threshold: str
    source: str
    cure: str
    experiment: str
    isfailure: bool
    reads: tuple[str, ...]
    rule: Callable[[Traces], Flags] | None


_ALL = (
    Symptom(
        "diverged",
        "diverged",
        "diverged",
        "The loss became infinite or not a number, and training stopped.",
        "The loss is not finite.",
        "Definition.",
        "A smaller learning rate, smaller initial weights, or a scaled input.",
        "depth_by_init",
        True,
        (),
        rules.diverged,
    ),
    Symptom(
        "dead_layer",
        "dead layer",
        "have a dead layer",
        "Every unit of a layer is 0 on all training data, so nothing passes, forward or backward.",
        "The share of dead units of some layer is 1.",
        "Definition; Lu et al., 2019, prove that deep narrow ReLU networks are born so.",
        "He initialization, a smaller learning rate, leaky ReLU, more units a layer.",
        "dead_relu",
        True,
        ("dead_fraction",),
        rules.dead_layer,
    ),
    Symptom(
        "collapsed_weights",
        "collapsed weights",
        "have collapsed weights",
        "The weights of a layer have shrunk towards 0.",
        "The norm of some W is 5 % of what it was at the start, or less.",
        "ours",
        "Less weight decay.",
        "weight_decay",
        True,
        ("weight_norm",),
        rules.collapsed_weights,
    ),
    Symptom(
        "stuck_at_prior",
        "stuck at the prior",
        "stuck at the loss of guessing",
        "The loss is that of the best guess that ignores the input, and the output is the same for "
        "every input.",
        "The loss is within 2 % of the prior's, the output's deviation below 5 % of the targets' "
        "and not growing.",
        "ours; Karpathy and CS231n expect this loss at the start",
        "Larger initial weights: the activation's usual initializer at scale 1.",
        "stuck_at_ln2",
        True,
        ("output_spread",),
        rules.stuck_at_prior,
    ),
    Symptom(
        "exploding_gradient",
        "exploding gradient",
        "had exploding gradients",
        "Steps are larger than the weights.",
        "A step after the first record changes some W by more than its norm.",
        "CS231n expects 1e-3, TheDeepChecker alarms above 0.1",
        "A smaller learning rate or smaller initial weights.",
        "depth_by_init",
        True,
        ("update_ratio",),
        rules.exploding_gradient,
    ),
    Symptom(
        "vanishing_gradient",
        "vanishing gradient",
        "have a vanishing gradient",
        "The gradient of the first layer is a tiny part of the last layer's.",
        "The norm of dL/dW of the first layer is below 1e-3 of the output layer's.",
        "AutoTrainer",
        "An activation that does not saturate, larger initial weights, fewer layers.",
        "init_by_activation",
        True,
        ("grad_norm",),
        rules.vanishing_gradient,
    ),
    Symptom(
        "saturated",
        "saturated",
        "are saturated",
        "Most activations of a layer lie where the slope is almost 0.",
        "70 % of the activations of some hidden layer have a slope below 1 % of the largest.",
        "TheDeepChecker alarms at more than half",
        "Smaller initial weights, a scaled input, ReLU.",
        "depth_by_init",
        True,
        ("saturated_fraction",),
        rules.saturated,
    ),
    Symptom(
        "oscillating",
        "oscillating",
        "oscillate",
        "The loss goes up and down instead of down.",
        "The loss rose by a tenth of the prior's between two records of the second half.",
        "ours",
        "A smaller learning rate.",
        "learning_rate_cliff",
        True,
        (),
        rules.oscillating,
    ),
    Symptom(
        "slow",
        "slow",
        "are slow",
        "The loss is still high, and falling.",
        "The loss is above half of the prior's and fell by a tenth in the second half.",
        "ours",
        "More epochs or a larger learning rate.",
        "learning_rate_cliff",
        True,
        (),
        rules.slow,
    ),
    Symptom(
        "dead_units",
        "dead units",
        "have many dead units",
        "Most units of a layer are 0 on all training data.",
        "The share of dead units of some hidden layer is 70 % or more.",
        "SageMaker Debugger alarms at half, AutoTrainer at 70 % of zero gradients",
        "A smaller learning rate, He initialization, leaky ReLU.",
        "dead_relu",
        False,
        ("dead_fraction",),
        rules.dead_units,
    ),
    Symptom(
        "healthy",
        "healthy",
        "are healthy",
        "None of the failures.",
        "None of the rules for failures holds.",
        "Definition.",
        "Nothing to mend.",
        "smoke",
        False,
        (),
        None,
    ),
)

SYMPTOMS: Mapping[str, Symptom] = MappingProxyType({symptom.name: symptom for symptom in _ALL})
