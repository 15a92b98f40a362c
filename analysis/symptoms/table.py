"""The table of symptoms: what each is, how it is told, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from analysis.symptoms import measures
from analysis.symptoms.traces import Array, Traces


@dataclass(frozen=True)
class Symptom:
    """One entry of the table.

    Attributes:
        name: key of the table, and name of the column that `judge` makes.
        title: a few words for a heading.
        phrase: what runs do, for a sentence such as "20 of 20 runs <phrase>".
        what: what is seen, a sentence.
        why: how it comes about.
        threshold: the rule with its numbers, a sentence.
        source: where the rule is from.
        cure: what mends it.
        experiment: the one that shows it.
        isfailure: whether a run that has it has failed.
        reads: the probes that the rule cannot do without.
        limit: the number that the measure has to reach.
        measure: from the traces of R runs to `(R,)` numbers, larger where it is worse, NaN where
            they cannot be told; None for healthy, the absence of failures.
        is_definition: whether at the end it is what is meant, so that it cannot be wrong there.
        relative: whether losses are measured against that of guessing, which is not always known.
    """

    name: str
    title: str
    phrase: str
    what: str
    why: str
    threshold: str
    source: str
    cure: str
    experiment: str
    isfailure: bool
    reads: tuple[str, ...]
    limit: float
    measure: Callable[[Traces], Array] | None
    relative: bool = False
    is_definition: bool = False


_ALL = (
    Symptom(
        name="diverged",
        title="diverged",
        phrase="diverged",
        what="The loss became infinite or not a number, and the run stopped there.",
        why="A step that is too large for the curvature of the loss overshoots, the next gradient "
        "is larger still, and so on until numbers overflow. Activations without an upper bound, "
        "such as ReLU, get there; tanh and sigmoid oscillate instead.",
        threshold="The loss is not a finite number.",
        source="Definition.",
        cure="Divide the learning rate by ten; scale inputs to deviation 1; start from the "
        "activation's usual initializer at `init_scale=1`.",
        experiment="exploding_gradient",
        isfailure=True,
        reads=(),
        limit=1.0,
        measure=measures.diverged,
    ),
    Symptom(
        name="dead_layer",
        title="dead layer",
        phrase="have a dead layer",
        what="Every unit of some layer is 0 on all training data, so that nothing passes it: the "
        "output is the same for every input, and no gradient gets below.",
        why="A ReLU unit whose input is negative on all data has a gradient of exactly 0 and never "
        "comes back. Deep and narrow networks are born with a layer of such units; a step that is "
        "too large makes one of a layer that was alive.",
        threshold="The share of dead units in some layer is 1.",
        source="Definition. Lu, Shin, Su & Karniadakis, “Dying ReLU and initialization: theory and "
        "numerical examples”, 2019, prove that deep narrow ReLU networks are born dead.",
        cure="A smaller learning rate where layers die while training; where they are born dead, "
        "more units a layer, fewer layers, or leaky ReLU.",
        experiment="dead_relu",
        isfailure=True,
        reads=("dead_fraction",),
        limit=1.0,
        measure=measures.dead_layer,
    ),
    Symptom(
        name="collapsed_weights",
        title="collapsed weights",
        phrase="have weights that collapsed",
        what="The weights of some layer have shrunk to almost nothing.",
        why="Weight decay takes the same share of a weight at every step. Where the gradient of "
        "the loss is smaller than that - on a plateau, behind a dead layer - nothing holds "
        "against it, and smaller weights make smaller gradients.",
        threshold="The norm of the weights of some layer is a tenth of what it was at the start, "
        "or less.",
        source="Ours.",
        cure="Less weight decay, and whatever makes the gradient small.",
        experiment="collapsed_weights",
        isfailure=True,
        reads=("weight_norm",),
        limit=10.0,
        measure=measures.collapsed_weights,
    ),
    Symptom(
        name="stuck_at_prior",
        title="stuck at the prior",
        phrase="are stuck at the loss of guessing",
        what="The loss is that of the best guess that ignores the input - the entropy of the label "
        "frequencies, ln 2 = 0.693 for two balanced classes - and the output is the same for every "
        "input.",
        why="With weights near 0, the output depends on the input through a product of as many "
        "small numbers as there are layers, and so does every gradient. The biases of the output "
        "learn the label frequencies in a few steps; the rest is on a saddle, on which the "
        "output's dependence on the input grows from almost nothing, the slower the deeper. "
        "Accuracy misleads here: the sign of a microscopic output is often right.",
        threshold="The loss is within 2 % of the prior's and the deviation of the output below "
        "0.3 % of the targets'; and either the output, if it grows on as since half time, needs a "
        "hundred times the epochs asked for to vary as the targets do, or the weights of every "
        "layer, at their pace, need as long to move by their own norm.",
        source="Ours. CS231n and Karpathy's recipe expect this loss at the start; Saxe, McClelland "
        "& Ganguli, “Exact solutions to the nonlinear dynamics of learning in deep linear neural "
        "networks”, 2014, how long the plateau lasts.",
        cure="Larger initial weights: the activation's usual initializer at `init_scale=1`. Then "
        "fewer layers, or adam, whose steps do not shrink with the gradient.",
        experiment="stuck_at_ln2",
        isfailure=True,
        reads=("output_spread",),
        limit=100.0,
        measure=measures.stuck_at_prior,
        relative=True,
    ),
    Symptom(
        name="saturated",
        title="saturated",
        phrase="are saturated",
        what="Most activations of some hidden layer lie where the activation is flat, and the loss "
        "is high.",
        why="Weights or inputs that are too large, or one step that is, drive tanh and sigmoid to "
        "their ends, where the slope is nearly 0: the layer's units are switches, and hardly any "
        "gradient passes them.",
        threshold="Half of the activations of some hidden layer or more have a slope below 1 % of "
        "the largest, and the loss is above half of the loss of guessing.",
        source="TheDeepChecker alarms where more than half of the units are saturated.",
        cure="Smaller initial weights, scaled inputs, a smaller learning rate, ReLU.",
        experiment="saturation",
        isfailure=True,
        reads=("saturated_fraction",),
        limit=0.5,
        measure=measures.saturated,
        relative=True,
    ),
    Symptom(
        name="exploding_gradient",
        title="exploding gradient",
        phrase="had gradients that exploded",
        what="Gradients were so large that a small step would change the loss many times over.",
        why="Signals grow by the same factor in every layer, forward and backward; with weights "
        "above the critical scale that factor is above 1, and many layers make a large number of "
        "it. The first steps then throw the weights to where the network is dead, saturated or "
        "infinite.",
        threshold="In some layer, norm of the weights times norm of their gradient was once 100 "
        "times the loss of guessing or more, and the loss is above half of the loss of guessing.",
        source="Ours, without a unit and so for networks of any size; AutoTrainer alarms where a "
        "layer's gradient is 70 times the next one's.",
        cure="Initial weights at the critical scale (`init_scale=1`), a smaller learning rate, "
        "scaled inputs.",
        experiment="exploding_gradient",
        isfailure=True,
        reads=("grad_norm", "weight_norm"),
        limit=100.0,
        measure=measures.exploding_gradient,
        relative=True,
    ),
    Symptom(
        name="vanishing_gradient",
        title="vanishing gradient",
        phrase="have a gradient that vanishes",
        what="The first layer's gradient is so small that its weights hardly move in the whole "
        "training.",
        why="Going back, the gradient is multiplied in every layer by the weights and by the slope "
        "of the activation: at most 1/4 for sigmoid, near 0 where tanh is saturated. Many layers "
        "make almost nothing of it.",
        threshold="At the fastest pace seen so far, the first layer's weights need a hundred times "
        "the epochs asked for to move by their own norm; norm of weights times norm of gradient "
        "was never above 3 % of the loss of guessing; the loss is above half of that; no layer is "
        "dead.",
        source="Ours, as it measures what the steps do. SageMaker Debugger alarms at a mean "
        "gradient below 1e-7, AutoTrainer where the first layer's norm is below 1e-3 of the last "
        "one's and below 1e-4.",
        cure="ReLU or tanh in place of sigmoid, initial weights at `init_scale=1`, fewer layers, "
        "adam.",
        experiment="vanishing_gradient",
        isfailure=True,
        reads=("grad_norm", "weight_norm", "update_ratio", "dead_fraction"),
        limit=100.0,
        measure=measures.vanishing_gradient,
        relative=True,
    ),
    Symptom(
        name="oscillating",
        title="oscillating",
        phrase="oscillate",
        what="The loss goes up and down instead of down.",
        why="The learning rate is above 2 over the curvature of the loss along its steepest "
        "direction, so that each step lands on the other side of the valley.",
        threshold="Between two records of the second half, the loss rose by a fifth of the loss of "
        "guessing or more.",
        source="Ours.",
        cure="A smaller learning rate; a larger batch where it is the noise of small batches.",
        experiment="learning_rate_cliff",
        isfailure=True,
        reads=(),
        limit=0.2,
        measure=measures.oscillating,
        relative=True,
    ),
    Symptom(
        name="slow",
        title="slow",
        phrase="are slow",
        what="The loss is still high, and falling.",
        why="The learning rate is small for this loss, or the run is on a plateau that it will "
        "leave.",
        threshold="The loss is above half of the loss of guessing and fell steadily in the second "
        "half; going on like that over the logarithm of time, it falls by another 20 % of the loss "
        "of guessing in ten times the epochs. Or it is at the loss of guessing, and the output "
        "grows by a factor e in half of the epochs asked for.",
        source="Ours.",
        cure="A larger learning rate; more epochs; adam.",
        experiment="learning_rate_cliff",
        isfailure=True,
        reads=("output_spread",),
        limit=0.2,
        measure=measures.slow,
        relative=True,
    ),
    Symptom(
        name="not_learning",
        title="no better than guessing",
        phrase="are no better than guessing",
        what="The loss is about that of guessing, or above, whatever the cause.",
        why="Any of the above; where none of them is seen, wrong labels, wrong gradients, too much "
        "weight decay, or a network that cannot represent the answer.",
        threshold="The loss is 90 % of the loss of guessing or more.",
        source="Ours.",
        cure="That of its cause. Without one, check the gradients first.",
        experiment="stuck_at_ln2",
        isfailure=True,
        reads=(),
        limit=0.9,
        is_definition=True,
        measure=measures.not_learning,
        relative=True,
    ),
    Symptom(
        name="dead_units",
        title="dead units",
        phrase="have many dead units",
        what="Half of the units of some hidden layer or more are 0 on all training data. What is "
        "left may well be enough.",
        why="As a dead layer, unit by unit. Healthy ReLU layers of ten units often have three to "
        "five that are silent.",
        threshold="The share of dead units in some hidden layer is one half or more.",
        source="SageMaker Debugger alarms at half of the units, AutoTrainer at 70 % of the "
        "gradients.",
        cure="A smaller learning rate, He initialization, leaky ReLU, more units.",
        experiment="dead_relu",
        isfailure=False,
        reads=("dead_fraction",),
        limit=0.5,
        measure=measures.dead_units,
    ),
    Symptom(
        name="healthy",
        title="healthy",
        phrase="are healthy",
        what="None of the failures.",
        why="",
        threshold="None of the rules for failures holds.",
        source="Definition.",
        cure="",
        experiment="smoke",
        isfailure=False,
        reads=(),
        limit=1.0,
        measure=None,
    ),
)

SYMPTOMS: Mapping[str, Symptom] = MappingProxyType({symptom.name: symptom for symptom in _ALL})
