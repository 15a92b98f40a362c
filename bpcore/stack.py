"""R networks of one shape: parameters, buffers, forward, backward.

Arrays have a leading run axis. Nothing in here mixes runs, and no formulation depends on how many
there are: a run's numbers are the same to the last bit whatever stack it travels in.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bpcore.activations import ACTIVATIONS, Array
from bpcore.buffers import copy, zeros
from bpcore.defects import apply_defects
from bpcore.losses import output_rules
from bpcore.rules import Rules, backward_below, healthy

if TYPE_CHECKING:
    from bpcore.spec import StackSpec


# A million million squared is 1e24; float32 goes up to 3e38.
SURELY_FINITE = 1e12


def count_parameters(sizes: tuple[int, ...], *, bias: bool) -> int:
    """Number of parameters of one run."""
    return sum((n_in + bias) * n_out for n_in, n_out in pairwise(sizes))


def views(flat: Array, sizes: tuple[int, ...], *, bias: bool) -> list[Array]:
    """Cut `(R, P)` into `[W b]` of each layer, `(R, n_out, n_in + 1)`, without copying.

    Without biases, the last column is not there: `(R, n_out, n_in)`.
    """
    cut, at = [], 0
    for n_in, n_out in pairwise(sizes):
        size = n_out * (n_in + bias)
        cut.append(flat[:, at : at + size].reshape(len(flat), n_out, n_in + bias))
        at += size
    return cut


@dataclass
class Parameters:
    """The arrays of a stack that last from step to step, all `(R, P)`."""

    flat: Array
    rates: Array
    decay: Array
    state: list[Array]

    def keep(self, runs: Array) -> Parameters:
        """Copy the chosen runs out."""
        return Parameters(
            copy(self.flat[runs]),
            copy(self.rates[runs]),
            copy(self.decay[runs]),
            [copy(array[runs]) for array in self.state],
        )


class Layer:
    """One layer of R networks and its buffers, for steps of `m` samples.

    Attributes:
        number: 1 for the first hidden layer, as in W1.
        Wb: `[W b]`, `(R, n_out, n_in + 1)`, or `W` alone where there are no biases; `dWb` its
            gradient, `rate` its learning rates.
        W: `(R, n_out, n_in)`, a view of `Wb`, as `dW` is of `dWb`; `W_T` is W transposed.
        b: `(R, n_out, 1)`, or `(R, n_out, 0)` without biases, likewise; `db`.
        inputs: `[x; 1]`, `(R, n_in + 1, m)`, or with 1 for R where runs share them.
        inputs_T: the same, transposed.
        z, a, delta: `(R, rows, m)`. Hidden layers have one row more than units where there are
            biases: in a, the ones that the biases of the next layer meet; in z and delta it means
            nothing. So elementwise rules go through contiguous memory, and products skip it. z
            shares memory with a where nothing reads it afterwards, and delta with the delta of the
            second layer above, unless there are defects.
        units: n_out; `array[:, :units]` is without that row, as are the views `z_units`,
            `a_units`, `delta_units`, made once because a slice costs as much as a small operation.
        ones: that row of a; `spoils_ones` where the activation writes over it.
        scratch: `(R, rows, m)`, free for any rule within its call; shared between layers.
        targets: `(R, n_out, m)` or `(1, n_out, m)`; output layer only.
        share: what one sample counts in the loss, 1/m or 1.
        samples: m.
        below, above: the neighboring layers, or None.
        rules: what the layer does.
    """

    number: int
    Wb: Array
    dWb: Array
    rate: Array
    W: Array
    dW: Array
    b: Array
    db: Array
    inputs: Array
    inputs_T: Array
    z: Array
    a: Array
    delta: Array
    scratch: Array
    targets: Array
    share: float
    samples: int
    units: int
    z_units: Array
    a_units: Array
    delta_units: Array
    W_T: Array
    ones: Array
    spoils_ones: bool
    below: Layer | None = None
    above: Layer | None = None
    rules: Rules


class Network:
    """The layers of a stack over its parameters, with buffers for steps of `samples` columns."""

    def __init__(self, spec: StackSpec, parameters: Parameters, grads: Array, samples: int) -> None:
        self.spec = spec
        self.parameters = parameters
        self.grads = grads
        self.samples = samples
        self.layers = self._layers()
        self.top = self.layers[-1]
        self.losses = np.empty(len(grads), spec.dtype)

    def _layers(self) -> list[Layer]:
        spec, R, m = self.spec, len(self.grads), self.samples
        arrays = (self.parameters.flat, self.grads, self.parameters.rates)
        cuts = [views(array, spec.sizes, bias=spec.bias) for array in arrays]
        # A step needs the deltas of a layer and of the one below; defects may look further up.
        widest = R * (max(spec.sizes[1:]) + 1) * m
        count = spec.layers if spec.defects else 2
        scratch, *deltas = (zeros((widest,), spec.dtype) for _ in range(1 + count))
        layers: list[Layer] = []
        for k, (n_in, n_out) in enumerate(pairwise(spec.sizes)):
            layer = Layer()
            layer.number, layer.units, layer.samples = k + 1, n_out, m
            layer.share = 1.0 / m if spec.reduction == "mean" else 1.0
            layer.Wb, layer.dWb, layer.rate = (cut[k] for cut in cuts)
            layer.W_T = layer.Wb[:, :, :n_in].transpose(0, 2, 1)
            layer.W, layer.b = layer.Wb[:, :, :n_in], layer.Wb[:, :, n_in:]
            layer.dW, layer.db = layer.dWb[:, :, :n_in], layer.dWb[:, :, n_in:]
            layer.rules = self._rules(k, n_out)
            self._buffers(layer, scratch, deltas[k % count])
            if layers:
                layer.below, layers[-1].above = layers[-1], layer
                layer.inputs = layers[-1].a
                layer.inputs_T = layer.inputs.transpose(0, 2, 1)
            layers.append(layer)
        for layer, rules in zip(layers, apply_defects(spec, layers), strict=True):
            layer.rules = rules
        return layers

    def _buffers(self, layer: Layer, scratch: Array, delta: Array) -> None:
        spec, R = self.spec, len(self.grads)
        ones = spec.bias and layer.number < spec.layers
        shape = (R, layer.units + ones, self.samples)
        layer.a = zeros(shape, spec.dtype)
        layer.delta = delta[: layer.a.size].reshape(shape)
        layer.z = layer.a if self._z_is_read_once(layer) else zeros(shape, spec.dtype)
        layer.scratch = scratch[: layer.a.size].reshape(shape)
        layer.z_units, layer.a_units, layer.delta_units = (
            array[:, : layer.units] for array in (layer.z, layer.a, layer.delta)
        )
        layer.ones = layer.a[:, layer.units :]
        layer.ones.fill(1.0)
        keeps = layer.z is layer.a and ACTIVATIONS[spec.activation].keeps_one
        layer.spoils_ones = ones and not keeps

    def _z_is_read_once(self, layer: Layer) -> bool:
        # Half the memory to go through. Losses read z of the output layer, defects may read any.
        activation = ACTIVATIONS[self.spec.activation]
        hidden = layer.number < self.spec.layers
        reads_a = activation.slope_at_a is not None
        return hidden and activation.in_place and reads_a and not self.spec.defects

    def _rules(self, k: int, n_out: int) -> Rules:
        spec = self.spec
        top = k == spec.layers - 1
        return healthy(
            None if top else ACTIVATIONS[spec.activation],
            output_rules(spec.output, spec.loss) if top else None,
            n_out=n_out,
            samples=self.samples,
            bias=spec.bias,
        )

    def bind(self, inputs: Array, inputs_T: Array, targets: Array) -> None:
        """Set the inputs `[x; 1]`, once more transposed, and the targets of the next step."""
        self.layers[0].inputs, self.layers[0].inputs_T = inputs, inputs_T
        self.top.targets = targets

    def forward(self) -> None:
        """Compute every `z` and `a`."""
        for layer in self.layers:
            rules = layer.rules
            rules.affine(layer, layer.z_units)
            rules.activation(layer, layer.a)
            if layer.spoils_ones:
                layer.ones.fill(1.0)

    def loss(self) -> Array:
        """Return the loss of each run `(R,)` at the outputs of the last forward pass."""
        self.top.rules.loss(self.top, self.losses)
        return self.losses

    def losses_are_finite(self) -> bool:
        """Whether the losses of the last forward pass must be finite, by the size of z and targets.

        False says nothing. No loss grows faster than the square of these, so that a sum over any
        number of samples stays within float32; a twentieth of the time of the losses.
        """
        return all(
            np.minimum.reduce(array, axis=None) > -SURELY_FINITE
            and np.maximum.reduce(array, axis=None) < SURELY_FINITE
            for array in (self.top.z, self.top.targets)
        )

    def backward(self) -> None:
        """Compute every gradient from the last forward pass."""
        self.top.rules.output_delta(self.top, self.top.delta)
        backward_below(self.top)


def bytes_of_an_operation(spec: StackSpec, samples: int) -> int:
    """Memory one run touches in the largest operation: two arrays of a layer and the result."""
    return 3 * max(spec.sizes[1:]) * samples * np.dtype(spec.dtype).itemsize


def bytes_of_a_step(spec: StackSpec, samples: int) -> int:
    """Memory that one run touches in a step: buffers, parameters, gradients, optimizer state."""
    of_each_layer = 1 if ACTIVATIONS[spec.activation].in_place else 2
    buffers = (of_each_layer * sum(spec.sizes[1:]) + 3 * max(spec.sizes[1:])) * samples
    parameters = 3 * count_parameters(spec.sizes, bias=spec.bias)
    return (buffers + parameters) * np.dtype(spec.dtype).itemsize
