"""What quantisation did to a net, in figures and in words."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gen.arithmetic import signed_digits
from ...gen.bounds import MembraneBounds
from ...gen.spec import Layer, NetworkSpec
from ...gen.trace import Trace
from ..exchange.float_layer import FloatLayer
from .memory import stored_bits
from .rounding import Quantised
from .steps import Steps

#: Shares from which on there is a warning: of weights beyond the largest integer, of membranes
#: that were clamped, of neurons that fire in every timestep.
CLIPPED, SATURATED, ALWAYS = 0.1, 1e-3, 0.5

#: A decay may differ so much from the one that was trained.
DECAY_ERROR = 0.02


def report(
    quantised: Quantised, spec: NetworkSpec, trace: Trace | None = None,
    budget_kbits: float | None = None,
) -> dict[str, Any]:
    """What quantisation did, JSON-ready: ``layers``, and ``warnings`` in words.

    Parameters
    ----------
    quantised
        The rounded net, beside its floats.
    spec
        The network that resulted: ``quantised.spec``, or what training made of it.
    trace
        What ``spec`` did with samples. Adds to every layer, on average over them: ``spikes`` of a
        sample; ``saturations``, membranes clamped in a sample; and the shares of its neurons that
        fired for no sample, ``silent``, and in every timestep, ``always``.

    budget_kbits
        What the network was to take at most; training may have widened it.

    ``memory_bits`` is what the network stores, and every layer of it, as
    :func:`.memory.stored_bits` counts. Of each layer, ``weight_error`` is the root mean square of
    integer × Δ − float over that of float, ``clipped`` the share of weights beyond the ends of the
    integers, ``decay_adders`` what a neuron's decay takes in hardware (None: a multiplier, as the
    neurons' decays differ).
    """
    layers, warnings = [], []
    memory = stored_bits(spec)
    for n, (layer, floats, step, bounds) in enumerate(zip(
        spec.layers, quantised.floats, quantised.steps, spec.bounds, strict=True
    )):
        figures = {**_figures(layer, floats, step, bounds), "memory_bits": memory[n]}
        if trace is not None:
            figures |= _activity(trace, n)
        layers.append(figures)
        warnings += [f"layer {layer.name} {warning}"
                     for warning in _warnings(layer, floats, bounds, figures)]
    if budget_kbits is not None and sum(memory) > 1000 * budget_kbits:
        warnings.append(
            f"the network takes {sum(memory) / 1000:g} kbit, as training widened its membranes or "
            f"biases beyond the budget of {budget_kbits:g}; lower budget_kbits by as much"
        )
    return {"memory_bits": sum(memory), "layers": layers, "warnings": warnings}


def _figures(layer: Layer, floats: FloatLayer, step: Steps, bounds: MembraneBounds) -> dict:
    synapse, neuron = layer.synapse, layer.neuron
    limit = 1 << (synapse.weight_bits - 1)
    each = step.reshape(-1, *[1] * (synapse.weight.ndim - 1))
    scaled = floats.weight / each
    size = float(np.sqrt(np.square(floats.weight).mean()))
    error = float(np.sqrt(np.square(synapse.weight * each - floats.weight).mean()))
    return {
        "layer": layer.name,
        "neurons": layer.neurons,
        "fan_in": synapse.weight[0].size,
        "weight_step": _ends(step),
        "membrane_step": _ends(step / (1 << synapse.weight_shift)),
        "weight_bits": synapse.weight_bits,
        "sparsity": float((synapse.weight == 0).mean()),
        "clipped": float(((scaled < -limit - 0.5) | (scaled > limit - 0.5)).mean()),
        "weight_error": error / size if size else 0.0,
        "threshold": None if neuron.threshold is None else _ends(neuron.threshold),
        "decay": _ends(np.asarray(neuron.decay) / (1 << neuron.decay_fraction)),
        "decay_wanted": _ends(floats.decay),
        "decay_adders": (max(0, len(signed_digits(neuron.decay)) - 1)
                         if isinstance(neuron.decay, int) else None),
        "bias": _ends(neuron.bias),
        "reset": neuron.reset.value,
        "reset_delay": neuron.reset_delay,
        "membrane_bits": bounds.membrane_bits,
        "accumulator_bits": bounds.accumulator_bits,
    }


def _activity(trace: Trace, n: int) -> dict[str, float]:
    spikes = trace.spikes[n]
    return {
        "spikes": float(trace.counters["events_out"][:, n].mean()),
        "saturations": float(trace.counters["saturations"][:, n].mean()),
        "saturated": float(trace.counters["saturations"][:, n].sum() / max(1, spikes.size)),
        "silent": float((~spikes.any((0, 1))).mean()),
        "always": float(spikes.all((0, 1)).mean()),
    }


def _warnings(
    layer: Layer, floats: FloatLayer, bounds: MembraneBounds, figures: dict[str, Any]
) -> Iterator[str]:
    """What is wrong with ``layer``, after its name."""
    synapse, neuron = layer.synapse, layer.neuron
    fires = neuron.threshold is not None
    lowest = int(neuron.per_neuron("threshold", layer.neurons).min())
    if bounds.membrane[1] <= lowest and fires:
        yield (f"can never fire: its membranes reach {bounds.membrane[1]} at most, its lowest "
               f"threshold is {lowest}; train it with larger weights or a lower "
               f"threshold")
    if fires and figures.get("silent") == 1:
        yield ("is silent: none of its neurons fired for any sample; train it with larger weights "
               "or a lower threshold")
    if fires and figures.get("always", 0) >= ALWAYS:
        yield (f"always fires: {figures['always']:.0%} of its neurons did in every timestep of "
               f"every sample, and so say nothing; train it with smaller biases, a higher "
               f"threshold, or a penalty on its rate")
    if figures.get("saturated", 0) >= SATURATED:
        yield (f"saturates: {figures['saturated']:.1%} of its membranes were clamped to "
               f"{neuron.membrane_bits} bits; raise membrane_bits, or leave it out")
    if not synapse.weight.any():
        yield "has no weights left: every one became 0; raise bits"
    if figures["clipped"] >= CLIPPED:
        yield (f"lost weights: {figures['clipped']:.0%} of them lie beyond the largest integer of "
               f"{synapse.weight_bits} bits; raise bits or percentile, or use scale = 'mse'")
    kept = np.broadcast_to(np.asarray(neuron.decay) / (1 << neuron.decay_fraction),
                           floats.decay.shape)
    if ((kept == 0) & (floats.decay != 0)).any():
        yield "forgets at once: a decay became 0; raise decay_fraction"
    elif np.abs(kept - floats.decay).max() > DECAY_ERROR:
        worst = np.abs(kept - floats.decay).argmax()
        yield (f"decays otherwise: {floats.decay[worst]:.4g} became {kept[worst]:.4g}; raise "
               f"decay_fraction, use decay = 'fixed-point', or train with that decay")


def _ends(value: npt.ArrayLike) -> Any:
    """One number where all are the same, else the least and the largest."""
    low, high = np.min(value).item(), np.max(value).item()
    return low if low == high else [low, high]
