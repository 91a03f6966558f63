"""Neurons of NIR, differential equations, as the equations of a timestep.

With a timestep dt, forward Euler (``"euler"``, what snnTorch, Norse and Lava compute) or the exact
solution for an input that is constant during dt (``"exponential"``)::

    τ·dv/dt = (v_leak − v) + r·I     →     v ← β·v + g·I + (1 − β)·v_leak
    euler:  β = 1 − dt/τ,  g = r·dt/τ             exponential:  β = exp(−dt/τ),  g = r·(1 − β)

CubaLIF and CubaLI have such an equation for I first (τ_syn, w_in), whose result enters v in the
same timestep. IF and I count time in timesteps, as every tool reads them: ``v ← v + r·I``.

A spike resets v to v_reset in its own timestep. Hardware resets to 0, so it holds ``v − v_reset``:
the threshold becomes ``θ − v_reset``, and v begins at v_reset where NIR says nothing. A v_leak is a
constant input of the membrane, the bias of the layer; a CubaLIF's bias would pass its current
first, so there v_leak must be v_reset, and ``v − v_leak`` is held.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...gen.errors import SpecError, UnsupportedModuleError
from ...gen.spec import Reset
from ..surrogates import SpikeGrad
from .float_layer import Dynamics
from .nir_graph import Graph, Node

_Floats = npt.NDArray[np.float64]

Discretisation = Literal["euler", "exponential"]

#: Kinds that fire, and kinds that only integrate.
FIRING = ("LIF", "CubaLIF", "IF")
INTEGRATING = ("LI", "CubaLI", "I")
_TIMED = ("LIF", "LI", "CubaLIF", "CubaLI")

#: Prefix of our metadata, whose values are exact where those of the node are rounded.
OURS = "spikewright_"

#: Timesteps that files of other tools count with; NIR does not say.
_CUSTOMS = "1e-4 for snnTorch and Lava, 1e-3 for Norse, 1 where τ counts timesteps as in Sinabs"


@dataclass(frozen=True)
class Clock:
    """The timestep ``dt`` in the unit of the file's time constants; ``origin`` says who said so."""

    dt: float
    method: Discretisation
    origin: str


def clock(graph: Graph, dt: float | None, method: Discretisation) -> Clock:
    """``dt`` if given, else what the file says, else what every r = τ/dt implies.

    Raises
    ------
    SpecError
        If there are time constants, and nothing says how long a timestep lasts.
    """
    if dt is not None:
        if not (np.isfinite(dt) and dt > 0):
            raise SpecError(f"dt is {dt}; a time above 0 is needed, such as {_CUSTOMS}")
        return Clock(dt, method, "given")
    for holder in (graph, *graph.nodes.values()):
        for key in (f"{OURS}dt", "dt"):
            if key in holder.metadata:
                return Clock(float(holder.metadata[key]), method, "as the file says")
    timed = [node for node in graph.nodes.values() if node.kind in _TIMED]
    if not timed:
        return Clock(1.0, method, "not needed")
    implied = []
    for node in timed:
        tau, r = node.array("tau" if "tau" in node.fields else "tau_mem"), node.array("r")
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.broadcast_arrays(tau, r)[0] / r
        implied.append(ratios[np.isfinite(ratios) & (r > 1.001)].ravel())
    found = np.concatenate(implied)
    if len(found) and all(map(len, implied)) and np.allclose(found, found[0], rtol=1e-4, atol=0):
        # Files hold float32: 1.00000005e-4 means 1e-4.
        return Clock(float(f"{np.median(found):.5g}"), method, "implied by r = τ/dt")
    raise SpecError(f"the file does not say how long a timestep lasts; give dt (--dt), such as "
                    f"{_CUSTOMS}")


def neurons(
    node: Node, shape: tuple[int, ...], time: Clock, spike_grad: SpikeGrad
) -> tuple[Dynamics, list[str]]:
    """The dynamics of ``node`` for neurons of ``shape``, and what is to be said about them.

    One that only integrates gets a threshold of 1, and never resets.

    Raises
    ------
    UnsupportedModuleError, SpecError
        Naming the node and the remedy.
    """
    if f"{OURS}reset" in node.metadata:
        return _exactly(node, spike_grad), []

    def numbers(name: str, default: float | None = None) -> _Floats:
        if default is not None and name not in node.fields:
            return np.full(int(np.prod(shape)), default)
        return spread(node, name, node.array(name), shape)

    said: list[str] = []
    r, fires = numbers("r"), node.kind in FIRING
    threshold = numbers("v_threshold") if fires else np.ones(int(np.prod(shape)))
    reset_to = numbers("v_reset", 0.0) if fires else np.zeros_like(threshold)
    leak_to, synapse_decay = np.zeros_like(threshold), None
    if node.kind in ("IF", "I"):
        decay, gain = np.ones_like(r), r
        said.append("time counts timesteps: v ← v + r·I")
    else:
        tau, leak_to = numbers("tau" if "tau" in node.fields else "tau_mem"), numbers("v_leak", 0.0)
        decay, gain = _step(node, tau, r, time)
        if node.kind.startswith("Cuba"):
            current = numbers("tau_syn"), numbers("w_in", 1.0)
            synapse_decay, current_gain = _step(node, *current, time)
            gain = gain * current_gain
    shift, bias = reset_to, np.zeros_like(threshold)
    if synapse_decay is not None:
        if (leak_to != reset_to).any():
            raise UnsupportedModuleError(
                f"{node.shown} has v_leak {_ends(leak_to)} and v_reset {_ends(reset_to)}; a "
                f"constant input behind a current has no counterpart in hardware; make v_leak and "
                f"v_reset the same"
            )
    else:
        bias = (1 - decay) * (leak_to - shift)
        if leak_to.any():
            said.append(f"v_leak {_ends(leak_to)} becomes a bias")
    if shift.any():
        said.append(f"v_reset {_ends(shift)}: hardware holds v − v_reset, and v begins at v_reset")
    if (gain != 1).any():
        said.append(f"input gain {_ends(gain)} is folded into the weights")
    return Dynamics(
        shown=node.shown, decay=decay, threshold=threshold - shift,
        reset=Reset.ZERO_DROP_INPUT if fires else Reset.NONE, reset_delay=not fires,
        spike_grad=spike_grad, gain=gain, bias=bias, synapse_decay=synapse_decay,
    ), said


def _exactly(node: Node, spike_grad: SpikeGrad) -> Dynamics:
    """What our own export wrote."""
    values = {key.removeprefix(OURS): value for key, value in node.metadata.items()
              if key.startswith(OURS)}
    decay = np.array(values["decay"], np.float64)
    return Dynamics(
        shown=node.shown,
        decay=decay,
        threshold=np.array(values["threshold"], np.float64),
        reset=Reset(str(values["reset"])),
        reset_delay=bool(values["reset_delay"]),
        spike_grad=spike_grad,
        gain=np.ones_like(decay),
        bias=np.array(values.get("bias", np.zeros_like(decay)), np.float64),
        synapse_decay=(np.array(values["synapse_decay"], np.float64)
                       if "synapse_decay" in values else None),
    )


def spread(node: Node, name: str, value: _Floats, shape: tuple[int, ...]) -> _Floats:
    """``value`` of parameter ``name``, one for all, per channel or per neuron, as (neurons,)."""
    if value.ndim == 1 and len(shape) == 3 and value.size == shape[0] != np.prod(shape):
        value = value.reshape(-1, 1, 1)
    if value.size == np.prod(shape):
        return value.reshape(-1).copy()
    try:
        return np.broadcast_to(value if value.size > 1 else value.reshape(()), shape).reshape(
            -1).copy()
    except ValueError:
        raise SpecError(f"{node.shown}: {name} has shape {value.shape} where signals of shape "
                        f"{shape} arrive; one value, one per channel or one per neuron is "
                        f"needed") from None


def _step(node: Node, tau: _Floats, r: _Floats, time: Clock) -> tuple[_Floats, _Floats]:
    """β and g of ``τ·dv/dt = −v + r·I``."""
    if not (tau > 0).all():
        raise SpecError(f"{node.shown}: a time constant is {tau.min():g}; every one must be above "
                        f"0")
    ratio = time.dt / tau
    if time.method == "exponential":
        decay = np.exp(-ratio)
        share = -np.expm1(-ratio)
    else:
        if ratio.max() > 2:
            raise SpecError(
                f"{node.shown}: forward Euler with dt {time.dt:g} explodes for a time constant of "
                f"{tau.min():g}; give a smaller dt, or the discretisation 'exponential'"
            )
        decay, share = 1 - ratio, ratio
    with np.errstate(invalid="ignore"):
        gain = r * share
    # Without a leak, τ and r = τ/dt are both infinite.
    return decay, np.where(np.isinf(tau) & np.isinf(r), 1.0, gain)


def _ends(value: _Floats) -> str:
    low, high = value.min(), value.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
