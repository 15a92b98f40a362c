"""What each word of the vocabulary says to a reader, and how to mend it.

The words are those of `bpcore.defects`, and more: not everything that can be recognized can be
trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Word:
    """One entry: what is done, and the cure. `kind` is "gradient" or "training"."""

    sentence: str
    cure: str
    kind: str = "gradient"


def _training(sentence: str, cure: str) -> Word:
    return Word(sentence, cure, "training")


WORDS: Mapping[str, Word] = MappingProxyType(
    {
        "derivative_at_activation": Word(
            "The slope formula that expects z is given a: f'(a) stands where f'(z) belongs.",
            "Hand the slope the pre-activation z, or use its formula in terms of a.",
        ),
        "derivative_at_preactivation": Word(
            "The slope formula that expects a is given z: for tanh 1 - z^2, for sigmoid z (1 - z).",
            "Hand the slope the activation a: 1 - a^2 for tanh, a (1 - a) for sigmoid.",
        ),
        "derivative_at_wrong_variable": Word(
            "The slope is taken at something that is neither z nor a of this layer.",
            "Take the slope at this layer's own z or a; multiply it with the incoming gradient.",
        ),
        "derivative_of_other_activation": Word(
            "The slope belongs to another function than the one the layer uses forward.",
            "Use the slope of the activation in the forward pass.",
        ),
        "missing_output_derivative": Word(
            "The slope of the output unit is left out where this loss needs it.",
            "Multiply dL/da of the output with the slope of the output unit, a (1 - a) for "
            "sigmoid; or train with the loss whose delta is a - y.",
        ),
        "missing_hidden_derivative": Word(
            "The slope of a hidden layer is left out: dL/da is used as dL/dz.",
            "Multiply the gradient that comes through the weights with f'(z) before using it.",
        ),
        "leaky_slope_mismatch": Word(
            "The slope on the negative side is not that of the forward pass.",
            "Use the same number on the negative side forward and backward, 0 for plain ReLU.",
        ),
        "upstream_discarded": Word(
            "The activation's backward replaces the incoming gradient by the slope.",
            "Multiply: delta = incoming gradient * slope.",
        ),
        "hidden_delta_skips_weights": Word(
            "The error above is used as it is for a hidden layer, not taken through the weights.",
            "Take the delta through the weights first: delta_above W^T, then times the slope.",
        ),
        "backprop_through_wrong_matrix": Word(
            "The delta is taken through something other than this layer's weights.",
            "Use the transposed weights of the layer above, the ones of the forward pass.",
        ),
        "dot_instead_of_elementwise": Word(
            "A matrix product stands where the formula is elementwise, or the reverse.",
            "Slopes multiply elementwise (*); deltas go through weights by a matrix product (@).",
        ),
        "weight_grad_wrong_activation": Word(
            "The gradient of the weights takes another layer's activation.",
            "dW is the product of this layer's delta with the activation that enters this layer.",
        ),
        "weight_grad_wrong_operand": Word(
            "The gradient of the weights takes something that is no activation.",
            "dW is the product of this layer's delta with the activation that enters this layer.",
        ),
        "weight_grad_transposed": Word(
            "The gradient of the weights is transposed; the shapes happen to allow it.",
            "Swap the factors of the product, so that dW has the rows and columns of W.",
        ),
        "bias_grad_mean_instead_of_sum": Word(
            "The gradient of the bias has another factor of m than the loss: mean for sum, or sum "
            "for mean.",
            "Sum delta over samples, with 1/m once if and only if the loss has it.",
        ),
        "bias_grad_wrong_axis": Word(
            "The gradient of the bias is summed over units instead of samples.",
            "Sum over the axis of the samples.",
        ),
        "bias_grad_missing_axis": Word(
            "The gradient of the bias is taken over everything: one number for all units.",
            "Name the axis of the samples in the sum or mean, with keepdims where b needs it.",
        ),
        "bias_grad_wrong_formula": Word(
            "The gradient of the bias is not the sum of the layer's delta.",
            "db is the sum of delta over samples, nothing else: z grows by one when b does.",
        ),
        "missing_batch_mean": Word(
            "The 1/m of the loss is left out of the gradient.",
            "Divide by the number of samples, once, in the output delta or in dW and db.",
        ),
        "extra_batch_mean": Word(
            "The gradient is divided by m once more than the loss is.",
            "Divide by the number of samples as often as the loss does.",
        ),
        "wrong_batch_size": Word(
            "The gradient is divided by something that is not the number of samples.",
            "Take m from the axis of X along which samples lie.",
        ),
        "l2_gradient_wrong": Word(
            "The gradient of the penalty on the parameters is not that of the penalty in the loss.",
            "The gradient of c * sum(W^2) is 2 c W, for the arrays in the penalty and no others.",
        ),
        "sign_error": Word(
            "A sign is the other one.",
            "With error = a - y gradients are subtracted; keep one convention in all layers.",
        ),
        "loss_gradient_mismatch": Word(
            "The delta belongs to another loss than the one reported.",
            "Derive delta from the loss that is printed, or print the loss that delta belongs to.",
        ),
        "softmax_extra_derivative": Word(
            "Softmax with cross-entropy has delta a - y; a further a (1 - a) is multiplied in.",
            "Leave the factor a (1 - a) out: it is in a - y already.",
        ),
        "softmax_jacobian_diagonal": Word(
            "Only the diagonal a (1 - a) of the softmax Jacobian is used.",
            "Every output depends on every z: with cross-entropy use delta = a - y, else "
            "a * (g - sum(a * g)).",
        ),
        "softmax_jacobian_missing": Word(
            "dL/da of the softmax is passed on as dL/dz.",
            "Take it through the softmax: a * (g - sum(a * g)); with cross-entropy that is a - y.",
        ),
        "softmax_wrong_axis": Word(
            "The softmax is normalized over samples, or over everything, and not over units.",
            "Sum over the axis of the units, with keepdims.",
        ),
        "dropout_mask_missing": Word(
            "Dropout's mask, or its scale, is not applied on the way back.",
            "Multiply the gradient with the same mask and the same 1/keep as the activation.",
        ),
        "batchnorm_backward_wrong": Word(
            "The way back through batch normalization misses a path through mean or variance.",
            "Mean and variance depend on z too: add both paths.",
        ),
        "weights_updated_before_backprop": Word(
            "A layer is stepped before the layers below have used its weights.",
            "Compute all gradients first, then update.",
        ),
        "inplace_derivative_overwrites_cache": Word(
            "A slope helper writes into an array that is read later.",
            "Let the helper return a new array: np.where(z > 0, 1.0, 0.0), no z[z > 0] = 1.",
        ),
        "inplace_activation_overwrites_cache": Word(
            "An activation writes over its argument, so the z kept for backward is a.",
            "Let the activation return a new array, without out=z.",
        ),
        "error_aliases_output": Word(
            "The error shares memory with the output it was taken from, so the output is gone.",
            "Compute the error into a new array: error = a - y, no in-place subtraction.",
        ),
        "gradient_not_reset": Word(
            "Gradients add up over calls: the second call returns the sum of both.",
            "Set the gradients to zero at the start of every backward pass.",
        ),
        "integer_dtype": Word(
            "Integer arrays truncate the gradient.",
            "Make parameters, data and gradient buffers float: astype(float), zeros(shape).",
        ),
        "unexplained": Word(
            "The gradient is wrong here, and no combination of catalogued mistakes reproduces it.",
            "Compare the arrays named with the check, from the output down.",
        ),
        "zero_init": _training(
            "All weights start at zero, so all units of a layer stay equal.",
            "Draw the initial weights at random.",
        ),
        "symmetric_init": _training(
            "The units of a hidden layer start equal and stay equal: the layer is one unit wide.",
            "Draw the initial weights at random.",
        ),
        "init_too_small": _training(
            "The start lies on a plateau: the weights are so small that hardly a gradient arrives.",
            "Draw weights with a standard deviation near sqrt(2/n_in) for ReLU, sqrt(1/n_in) else.",
        ),
        "init_too_large": _training(
            "The start is saturated: the weights are so large that slopes vanish.",
            "Draw weights with a standard deviation near sqrt(2/n_in) for ReLU, sqrt(1/n_in) else.",
        ),
        "learning_rate_too_large": _training(
            "The steps overshoot.",
            "Divide the learning rate by ten until the loss falls steadily.",
        ),
        "learning_rate_too_small": _training(
            "The steps get nowhere in the number of them that is taken.",
            "Multiply the learning rate by ten while the loss falls, or take more steps.",
        ),
        "unnormalized_inputs": _training(
            "The inputs are on scales that saturate the units or make steps overshoot.",
            "Subtract the mean of each input and divide by its standard deviation.",
        ),
        "targets_outside_output_range": _training(
            "The output unit cannot produce the targets.",
            "Scale the targets into the range of the output, or use a linear output.",
        ),
        "relu_output_dead": _training(
            "The ReLU output is zero on all data, so no gradient comes through.",
            "Use a linear output for a quantity, a sigmoid for a probability.",
        ),
        "dead_units": _training(
            "A hidden layer is silent on all data, so no gradient comes through.",
            "Start with smaller weights and biases at zero or above, or take smaller steps.",
        ),
        "log_of_zero": _training(
            "The loss takes the logarithm of 0 where outputs are saturated.",
            "Compute the loss from z, or clip a to [1e-12, 1 - 1e-12] before the logarithm.",
        ),
        "label_shape_broadcast": _training(
            "Labels of shape (m,) against outputs of (m, 1) broadcast to (m, m): every output is "
            "compared with every label.",
            "Reshape the labels to (m, 1).",
        ),
        "bias_per_sample": _training(
            "The bias has a row for every sample, so the network learns the samples apart.",
            "Give the bias one entry for each unit and let broadcasting repeat it.",
        ),
        "shared_parameter_array": _training(
            "Two parameters are one array in memory, so each step changes both.",
            "Make a new array for each layer, no [np.zeros(n)] * layers and no W2 = W1.",
        ),
        "optimizer_wrong": _training(
            "The gradient is right, and the step taken is not the optimizer's.",
            "A plain step is p -= lr * grad; check signs, state and bias corrections.",
        ),
    }
)
