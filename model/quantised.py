"""The contract in torch: the very integers of the hardware, and gradients through them.

Integers live in floating-point tensors, where they are exact up to 2²⁴ (float32) or 2⁵³ (float64);
the net takes the narrower type that its proven bounds allow. Rounding passes gradients straight
through (Bengio, Léonard & Courville 2013, "Estimating or propagating gradients through stochastic
neurons"), a spike passes them through its surrogate; so the module that is checked against the
golden model is the module that quantisation-aware training trains.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..gen.spec import Layer, NetworkSpec, Neuron, Reset, Rounding
from .surrogates import SpikeGrad


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


class QuantizedLayer(nn.Module):
    """One layer; its equations stand at the top of :mod:`spikewright.gen.spec`.

    Parameters
    ----------
    layer
        What to compute.
    dtype
        Of every tensor; see :func:`exact_dtype`.
    spike_grad
        Surrogate of the spike's derivative, None for a net that is only run.
    weight_step
        Real value of one weight step; one membrane step is 2ᶠ times smaller.

    Parameters ``weight`` and ``bias`` are real numbers, so that learning rates and surrogates mean
    what they mean in the float net; what the layer computes with is the nearest whole steps,
    weights clamped to their bits.
    """

    decay: torch.Tensor
    threshold: torch.Tensor

    def __init__(
        self, layer: Layer, dtype: torch.dtype, spike_grad: SpikeGrad | None, weight_step: float
    ):
        super().__init__()
        self.layer = layer
        self.spike_grad = spike_grad
        self.weight_step = weight_step
        self.membrane_step = weight_step / (1 << layer.synapse.weight_shift)

        def per_neuron(name: str, dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor(layer.neuron.per_neuron(name, layer.neurons), dtype=dtype)

        self.weight = nn.Parameter(torch.tensor(layer.synapse.weight, dtype=dtype) * weight_step)
        self.bias = nn.Parameter(per_neuron("bias", dtype) * self.membrane_step)
        self.register_buffer("decay", per_neuron("decay", torch.int64))
        self.register_buffer("threshold", per_neuron("threshold", dtype))

    def integers(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (neurons, fan-in) and biases (neurons,) as the hardware has them."""
        limit = 1 << (self.layer.synapse.weight_bits - 1)
        weight: Any = _Round.apply((self.weight / self.weight_step).clamp(-limit, limit - 1))
        bias: Any = _Round.apply(self.bias / self.membrane_step)
        return weight, bias

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Spikes and membranes (timesteps, batch, neurons) and saturations (batch,) for spikes x
        (timesteps, batch, fan-in); every membrane starts at 0."""
        weight, bias = self.integers()
        drive = (x @ weight.T) * (1 << self.layer.synapse.weight_shift) + bias
        m = torch.zeros_like(drive[0])
        spikes, membranes = [], []
        saturations = torch.zeros(x.shape[1], dtype=torch.int64)
        for current in drive:
            s, m, saturated = self.step(m, current)
            spikes.append(s)
            membranes.append(m)
            if saturated is not None:
                saturations += saturated.sum(1)
        return torch.stack(spikes), torch.stack(membranes), saturations

    def step(
        self, m: torch.Tensor, drive: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """One timestep: spikes, membrane, and where u was clamped (None: it cannot be).

        ``drive`` is synaptic sum and bias. As in snnTorch, no gradient flows through the reset of a
        spike of the timestep before.
        """
        neuron: Neuron = self.layer.neuron
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
        above = u - self.threshold
        if self.spike_grad is None:
            s = (above > 0).to(m.dtype)
        else:
            s = self.spike_grad(above * self.membrane_step).to(m.dtype)
        if not neuron.reset_delay:
            if neuron.reset is Reset.SUBTRACT:
                u = u - (s - r) * self.threshold
            elif neuron.reset is not Reset.NONE:
                u = (1 - s) * u
        return s, u, saturated

    def quantised(self) -> Layer:
        """The layer with its present weights and biases."""
        with torch.no_grad():
            weight, bias = (value.to(torch.int64).numpy() for value in self.integers())
        return replace(
            self.layer,
            synapse=replace(self.layer.synapse, weight=weight),
            neuron=replace(self.layer.neuron, bias=bias),
        )


class QuantizedNet(nn.Module):
    """A :class:`~spikewright.gen.spec.NetworkSpec` as a torch module.

    Parameters
    ----------
    spec
        The network.
    spike_grads, weight_steps
        Per layer, for training; see :class:`QuantizedLayer`. Without them the net is only run, and
        its tensors are as narrow as the spec's own weights allow.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        spike_grads: Sequence[SpikeGrad] | None = None,
        weight_steps: Sequence[float] | None = None,
    ):
        super().__init__()
        self._spec = spec
        self.dtype = exact_dtype(spec, any_weights=spike_grads is not None)
        grads = spike_grads or [None] * len(spec.layers)
        steps = weight_steps or [1.0] * len(spec.layers)
        self.layers = nn.ModuleList(
            QuantizedLayer(layer, self.dtype, grad, step)
            for layer, grad, step in zip(spec.layers, grads, steps, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes (timesteps, batch, classes) for spikes x (timesteps, batch, inputs)."""
        x = x.to(self.dtype)
        for layer in self.layers:
            x, _, _ = layer(x)
        return x

    def trace(
        self, x: torch.Tensor
    ) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Spikes, membranes and saturations of every layer; see :class:`QuantizedLayer`."""
        found = []
        x = x.to(self.dtype)
        for layer in self.layers:
            found.append(layer(x))
            x = found[-1][0]
        return found

    def spec(self) -> NetworkSpec:
        """The network with its present weights and biases; SpecError if the contract refuses it."""
        return replace(self._spec, layers=tuple(layer.quantised() for layer in self.layers))  # type: ignore[operator]


def exact_dtype(spec: NetworkSpec, *, any_weights: bool = False) -> torch.dtype:
    """float32 if no sum inside ``spec`` can leave ±2²⁴, else float64.

    ``any_weights``: for all weights of the same widths, as training may find them.
    """
    for layer in spec.layers:
        neuron, synapse = layer.neuron, layer.synapse
        largest = 1 << (synapse.weight_bits - 1)
        weights = synapse.inputs * largest if any_weights else np.abs(synapse.weight).sum(1).max()
        added = (int(weights) << synapse.weight_shift) + int(np.abs(neuron.bias).max())
        # Coarser than gen.bounds, but also true of every sum on the way to u.
        added += 2 * int(np.max(neuron.threshold)) + 1
        kept = int(np.abs(neuron.decay).max()) / (1 << neuron.decay_fraction)
        reach = 0.0
        for _ in range(spec.timesteps):
            reach = kept * reach + added
            if reach >= 2**24:
                return torch.float64
    return torch.float32
