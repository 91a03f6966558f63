"""A layer of the contract in torch: the very integers of the hardware, and gradients through them.

Integers live in floating-point tensors, where they are exact up to 2²⁴ (float32) or 2⁵³ (float64).
Rounding passes gradients straight through (Bengio, Léonard & Courville 2013, "Estimating or
propagating gradients through stochastic neurons"), a spike passes them through its surrogate.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.backends import nnpack
from torch.nn import functional

from ...gen.spec import Conv2d, Layer, Linear, Neuron, OneToOne, Reset, Rounding, SumPool2d
from ..surrogates import SpikeGrad


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class _Decay(torch.autograd.Function):
    """``round(m·B / 2ⁿ)`` in 64-bit integers; the gradient is that of ``m·B / 2ⁿ``."""

    @staticmethod
    def forward(ctx, m, factor, fraction, rounding):
        ctx.slope = factor.to(m.dtype) / 2**fraction
        product = m.to(torch.int64) * factor
        if fraction:
            match rounding:
                case Rounding.NEAREST:
                    product += 1 << (fraction - 1)
                case Rounding.TOWARD_ZERO:
                    product += (product < 0) * ((1 << fraction) - 1)
            product >>= fraction
        return product.to(m.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.slope, None, None, None


class LayerTrace(NamedTuple):
    """What a layer did: ``spikes`` and ``membranes`` (timesteps, batch, neurons), ``saturations``
    (batch,)."""

    spikes: torch.Tensor
    membranes: torch.Tensor
    saturations: torch.Tensor


class Step(NamedTuple):
    """A layer after one timestep, each (batch, neurons): spikes, membrane m, current i, and where u
    was clamped (None: it cannot be)."""

    spikes: torch.Tensor
    membrane: torch.Tensor
    current: torch.Tensor
    saturated: torch.Tensor | None


class QuantizedLayer(nn.Module):
    """One layer; its equations stand at the top of :mod:`spikewright.gen.spec`.

    Parameters
    ----------
    layer
        What to compute.
    dtype
        Of every tensor; see :func:`spikewright.model.quantisation.net.exact_dtype`.
    spike_grad
        Surrogate of the spike's derivative, None for a net that is only run.
    weight_step
        Real value of one weight step, (1,) or one for each output channel; one membrane step is 2ᶠ
        times smaller.

    Parameters ``weight``, ``bias`` and ``recurrent`` are real numbers, so that learning rates and
    surrogates mean what they mean in the float net; what the layer computes with is the nearest
    whole steps, weights clamped to their bits. ``bias`` of a convolution is one number per channel
    where the spec has it so.
    """

    membrane_step: torch.Tensor
    parameter_step: torch.Tensor
    bias_step: torch.Tensor
    recurrent_step: torch.Tensor
    decay: torch.Tensor
    threshold: torch.Tensor
    synapse_decay: torch.Tensor
    recurrent: nn.Parameter | None

    def __init__(
        self, layer: Layer, dtype: torch.dtype, spike_grad: SpikeGrad | None,
        weight_step: npt.NDArray[np.float64],
    ):
        super().__init__()
        self.layer, self.spike_grad = layer, spike_grad
        #: What the float net's weights are multiples of in ``weight``: average pooling has its
        #: share in weights that the hardware sums over.
        self.summed = layer.pool.most if isinstance(layer.pool, SumPool2d) else 1

        def per_neuron(name: str, kind: torch.dtype) -> torch.Tensor:
            return torch.tensor(layer.neuron.per_neuron(name, layer.neurons), dtype=kind)

        def unit(name: str, values: npt.NDArray[np.float64]) -> torch.Tensor:
            """Real values of one step, where the module's tensors are, but no part of its state."""
            self.register_buffer(name, torch.tensor(values, dtype=dtype), persistent=False)
            return getattr(self, name)

        membrane = np.repeat(weight_step, layer.neurons // len(weight_step)) / (
            1 << layer.synapse.weight_shift)
        unit("membrane_step", membrane)
        weight = torch.tensor(layer.synapse.weight, dtype=dtype)
        each = weight_step.reshape(-1, *[1] * (weight.ndim - 1))
        self.weight = nn.Parameter(weight * unit("parameter_step", self.summed * each))
        bias = per_neuron("bias", dtype).reshape(layer.output_shape[0], -1)
        #: Neurons that share a bias.
        self.sharing = bias.shape[1] if (bias == bias[:, :1]).all() else 1
        bias = bias[:, 0] if self.sharing > 1 else bias.reshape(-1)
        self.bias = nn.Parameter(bias * unit("bias_step", membrane[:: self.sharing]))
        recurrent = None
        if isinstance(layer.recurrent, Linear):
            weight = torch.tensor(layer.recurrent.weight, dtype=dtype)
            recurrent = nn.Parameter(weight * unit("recurrent_step", membrane[:, np.newaxis] * (
                1 << layer.recurrent.weight_shift)))
        elif layer.recurrent is not None:
            weight = np.broadcast_to(np.asarray(layer.recurrent.weight), (layer.neurons,))
            recurrent = nn.Parameter(torch.tensor(weight, dtype=dtype)
                                     * unit("recurrent_step", membrane))
        self.register_parameter("recurrent", recurrent)
        self.register_buffer("decay", per_neuron("decay", torch.int64))
        self.register_buffer("threshold", per_neuron("threshold", dtype))
        self.register_buffer("synapse_decay", per_neuron("synapse_decay", torch.int64))

    def integers(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Weights, as the spec shapes them, biases (neurons,) and recurrent weights as the hardware
        has them."""
        bias: Any = _Round.apply(self.bias / self.bias_step)
        return (
            _whole_steps(self.weight, self.parameter_step, self.layer.synapse.weight_bits),
            bias.repeat_interleave(self.sharing),
            None if self.recurrent is None else _whole_steps(
                self.recurrent, self.recurrent_step,
                getattr(self.layer.recurrent, "weight_bits", None),
            ),
        )

    def forward(self, x: torch.Tensor, timesteps: int | None = None) -> LayerTrace:
        """What the layer does for signals x (timesteps, batch, inputs), or x (1, batch, inputs)
        that is held for ``timesteps``; every state starts at 0."""
        weight, bias, recurrent = self.integers()
        drive = self._sums(x, weight) + bias
        drive = drive.expand(timesteps or len(x), *drive.shape[1:])
        zero = torch.zeros_like(drive[0])
        last = Step(zero, zero, zero, None)
        spikes, membranes = [], []
        saturations = torch.zeros(x.shape[1], dtype=torch.int64, device=x.device)
        for arriving in drive:
            if recurrent is not None:
                arriving = arriving + self._own(last.spikes, recurrent)
            last = self.step(last.membrane, last.current, arriving)
            spikes.append(last.spikes)
            membranes.append(last.membrane)
            if last.saturated is not None:
                saturations += last.saturated.sum(1)
        return LayerTrace(torch.stack(spikes), torch.stack(membranes), saturations)

    def _sums(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Synaptic sums (timesteps, batch, neurons) in membrane steps."""
        synapse, pool = self.layer.synapse, self.layer.pool
        frames = x.shape[:2]
        if pool is not None:
            maps = x.reshape(-1, *pool.input_shape)
            maps = (
                functional.avg_pool2d(maps, pool.kernel, pool.stride, divisor_override=1)
                if isinstance(pool, SumPool2d)
                else functional.max_pool2d(maps, pool.kernel, pool.stride)
            )
            x = maps.reshape(*frames, -1)
        if isinstance(synapse, Conv2d):
            # NNPACK may convolve by Fourier or Winograd transforms, which round.
            with nnpack.flags(enabled=False):
                sums = functional.conv2d(
                    x.reshape(-1, *synapse.input_shape), weight, None, synapse.stride,
                    synapse.padding, 1, synapse.groups,
                ).reshape(*frames, -1)
        else:
            sums = x @ weight.T
        return sums * (1 << synapse.weight_shift)

    def _own(self, spikes: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """What the layer's own spikes of the timestep before add, in membrane steps."""
        recurrent = self.layer.recurrent
        if isinstance(recurrent, OneToOne):
            return spikes * weight
        assert recurrent is not None
        return (spikes @ weight.T) * (1 << recurrent.weight_shift)

    def step(self, m: torch.Tensor, i: torch.Tensor, drive: torch.Tensor) -> Step:
        """One timestep from membrane ``m`` and current ``i``; ``drive`` is synaptic sum and bias.

        As in snnTorch, no gradient flows through the reset of a spike of the timestep before.
        """
        neuron: Neuron = self.layer.neuron
        if neuron.synapse_decay is not None:
            kept: Any = _Decay.apply(
                i, self.synapse_decay, neuron.synapse_decay_fraction, neuron.rounding
            )
            drive = kept + drive
        i = drive
        r = (m > self.threshold).to(m.dtype)
        leaked: Any = _Decay.apply(m, self.decay, neuron.decay_fraction, neuron.rounding)
        match neuron.reset:
            case Reset.SUBTRACT:
                u = leaked - r * self.threshold + drive
            case Reset.ZERO_KEEP_INPUT:
                u = (1 - r) * leaked + drive
            case Reset.ZERO_DROP_INPUT:
                u = (1 - r) * (leaked + drive)
            case Reset.NONE:
                u = leaked + drive
        saturated = None
        if neuron.membrane_bits is not None:
            limit = 1 << (neuron.membrane_bits - 1)
            saturated = (u < -limit) | (u >= limit)
            u = u.clamp(-limit, limit - 1)
        s = self._fire(u)
        if not neuron.reset_delay:
            if neuron.reset is Reset.SUBTRACT:
                u = u - (s - r) * self.threshold
            elif neuron.reset is not Reset.NONE:
                u = (1 - s) * u
        return Step(s, u, i, saturated)

    def _fire(self, u: torch.Tensor) -> torch.Tensor:
        if self.layer.neuron.threshold is None:
            return torch.zeros_like(u)
        above = u - self.threshold
        if self.spike_grad is None:
            return (above > 0).to(u.dtype)
        return self.spike_grad(above * self.membrane_step).to(u.dtype)

    def quantised(self) -> Layer:
        """The layer with its present weights and biases."""
        with torch.no_grad():
            weight, bias, recurrent = (
                value if value is None else value.to(torch.int64).numpy()
                for value in self.integers()
            )
        own = self.layer.recurrent
        return replace(
            self.layer,
            synapse=replace(self.layer.synapse, weight=weight),
            neuron=replace(self.layer.neuron, bias=bias),
            recurrent=None if own is None else replace(own, weight=recurrent),
        )


def _whole_steps(value: torch.Tensor, step: torch.Tensor, bits: int | None) -> torch.Tensor:
    """The nearest whole steps, clamped to ``bits`` if there is such a limit."""
    steps = value / step
    if bits is not None:
        limit = 1 << (bits - 1)
        steps = steps.clamp(-limit, limit - 1)
    whole: Any = _Round.apply(steps)
    return whole
