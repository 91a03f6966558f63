"""A neuron over all timesteps in one call: to the bit what snnTorch's module computes step by step,
and the same gradients, without a graph of a dozen nodes for each step.

With currents I, decay β, threshold θ, membrane m and spikes s, each timestep is::

    r = f(m' − θ)                        reset, m' being the membrane of the step before
    u = β·m' + I − r·θ                   subtract
    u = β·(1 − r)·m' + I                 zero, of Leaky
    u = (1 − r)·(β·m' + I)               zero, of Lapicque, Synaptic and RLeaky
    s = f(u − θ)
    m = u                                with reset delay, else
    m = u − (s − r)·θ,  u − (s − r)·u    subtract, zero

f is 1 above 0, else 0, and its derivative a surrogate. As in snnTorch, no gradient flows through r,
but one does through the s of an immediate reset. Where f is smooth, gradients are those of exactly
what the forward pass computes, so one flows through r too, and no neuron has fired before the first
timestep: r = 0 there.

The gradient with respect to u of one step depends linearly on that of the next, so the backward
pass is a scan, too: one multiplication and addition for each timestep. All else is done for all
timesteps at once.
"""

from typing import Any, NamedTuple

import snntorch as snn
import torch
from torch.autograd.function import once_differentiable

from .spikes import Spike, from_snntorch

__all__ = ["Leak", "over_time", "reverse_scan"]

#: snnTorch's own resets, none of them exchanged after the module was made.
_STATE_FUNCTIONS = {"subtract": "_base_sub", "zero": "_base_zero", "none": "_base_int"}


def over_time(neuron: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes and membranes of ``neuron``, each (timesteps, batch, …), for currents ``x`` of that
    shape; every state starts at 0.

    Leaky, Lapicque and Synaptic are computed for all timesteps at once; neurons that recur, options
    such as inhibition or graded spikes, and parameters of wider numbers than ``x`` has, by
    snnTorch's module, step by step.
    """
    spike = _spike(neuron)
    if spike is None:
        return _step_by_step(neuron, x)
    zero = "zero" if isinstance(neuron, snn.Leaky) else "zero and drop"
    mechanism = neuron.reset_mechanism
    rule = _Rule(
        reset=zero if mechanism == "zero" else mechanism,
        # Nothing is reset, so nothing is delayed either.
        delay=mechanism == "none" or getattr(neuron, "reset_delay", True),
        spike=spike,
    )
    currents, alpha = x, None
    if isinstance(neuron, snn.Lapicque):
        electric: Any = neuron
        R, C, step = electric.R, electric.C, electric.time_step
        currents, decay = x * R * (1 / (R * C)) * step, 1 - step / (R * C)
    else:
        decay = neuron.beta.clamp(0, 1)
    if isinstance(neuron, snn.Synaptic):
        alpha = neuron.alpha.clamp(0, 1)
    numbers = [decay, neuron.threshold] + ([] if alpha is None else [alpha])
    if any(torch.result_type(currents, number) != currents.dtype for number in numbers):
        return _step_by_step(neuron, x)
    if alpha is not None:
        currents = _applied(Leak, currents, alpha)
    return _applied(_Neuron, currents, decay, neuron.threshold, rule)


def _applied(function: Any, *arguments: Any) -> Any:
    return function.apply(*arguments)


def _spike(neuron: Any) -> Spike | None:
    """How ``neuron`` fires, or None if only its own module knows what it does."""
    plain = (
        type(neuron) in (snn.Leaky, snn.Lapicque, snn.Synaptic)
        and not neuron.inhibition and not neuron.state_quant
        and not neuron.graded_spikes_factor.requires_grad
        and bool((neuron.graded_spikes_factor == 1).all())
        and neuron.state_function.__name__ == _STATE_FUNCTIONS[neuron.reset_mechanism]
    )
    if not plain:
        return None
    given = neuron.spike_grad
    return given if isinstance(given, Spike) else from_snntorch(given)


def _step_by_step(neuron: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    for state in ("mem", "syn", "spk"):
        if hasattr(neuron, state):
            setattr(neuron, state, torch.zeros_like(x[0]))
    spikes, membranes = [], []
    for current in x:
        out = neuron(current)
        spikes.append(out[0] if isinstance(out, tuple) else out)
        membranes.append(neuron.mem)
    return torch.stack(spikes), torch.stack(membranes)


class _Rule(NamedTuple):
    """``reset`` is one of "none", "subtract", "zero", "zero and drop"."""

    reset: str
    delay: bool
    spike: Spike


class Leak(torch.autograd.Function):
    """y of one timestep is ``α·y + x``, y being that of the step before."""

    @staticmethod
    def forward(ctx, x, decay):
        y = torch.empty_like(x)
        rows = y.unbind(0)
        torch.mul(torch.zeros_like(x[0]), decay, out=rows[0]).add_(x[0])
        for t in range(1, len(rows)):
            torch.mul(rows[t - 1], decay, out=rows[t]).add_(x[t])
        ctx.save_for_backward(y, decay)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y):  # type: ignore[override]
        y, decay = ctx.saved_tensors
        grad = reverse_scan(grad_y.clone(), decay)
        decays = None
        if ctx.needs_input_grad[1]:
            decays = (grad[1:] * y[:-1]).sum_to_size(decay.shape)
        return grad, decays


def reverse_scan(y: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """``y[t] ← y[t] + factor[t]·y[t + 1]``, from the end, in place. ``factor`` has one row fewer
    than y, or is the same for all."""
    rows = y.unbind(0)
    steps = len(rows) - 1
    factors = factor.unbind(0) if factor.ndim == y.ndim else [factor] * steps
    for t in reversed(range(steps)):
        rows[t].addcmul_(rows[t + 1], factors[t])
    return y


class _Neuron(torch.autograd.Function):
    """The equations of this module; ``u`` and the rest are (timesteps, batch, …)."""

    @staticmethod
    def forward(ctx, x, decay, threshold, rule: _Rule):
        hard = rule.spike.forward == "hard"
        u, s = torch.empty_like(x), torch.empty_like(x)
        m = u if rule.delay else torch.empty_like(x)
        rows = list(zip(x.unbind(0), u.unbind(0), s.unbind(0), m.unbind(0), strict=True))
        m_t = torch.zeros_like(x[0])
        r_t = first = (m_t > threshold).to(x.dtype) if hard else m_t
        resets = [] if rule.delay else [first]
        for x_t, u_t, s_t, next_m in rows:
            torch.mul(m_t, decay, out=u_t)
            if rule.reset == "zero":
                u_t.addcmul_(u_t, r_t, value=-1)
            u_t.add_(x_t)
            if rule.reset == "subtract":
                u_t.addcmul_(r_t, threshold, value=-1)
            elif rule.reset == "zero and drop":
                u_t.addcmul_(u_t, r_t, value=-1)
            _fire(rule.spike, u_t, threshold, s_t)
            if not rule.delay:
                lost = threshold if rule.reset == "subtract" else u_t
                torch.addcmul(u_t, s_t - r_t, lost, value=-1, out=next_m)
                r_t = torch.empty_like(s_t)
                _fire(rule.spike, next_m, threshold, r_t)
                resets.append(r_t)
            else:
                r_t = s_t
            m_t = next_m
        ctx.rule = rule
        ctx.save_for_backward(
            x if not hard and rule.reset == "zero and drop" else None, decay, threshold, u, s,
            m, first, None if rule.delay else torch.stack(resets[:-1]),
        )
        ctx.set_materialize_grads(False)
        return s, m

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_s, grad_m):  # type: ignore[override]
        x, decay, threshold, u, s, m, first, resets = ctx.saved_tensors
        rule, exact = ctx.rule, ctx.rule.spike.forward == "smooth"
        subtract, dropped = rule.reset == "subtract", rule.reset == "zero and drop"
        # Resets of all timesteps but the first.
        r = s[:-1] if rule.delay else resets[1:]
        slope = rule.spike.derivative(u - threshold)
        fired = torch.zeros_like(u) if grad_s is None else grad_s * slope
        # By how much u of a timestep changes with the m before it.
        carried: Any = decay * (1 - r) if dropped or rule.reset == "zero" else decay
        reset_slope: Any = None
        lost: Any = threshold
        if exact and rule.reset != "none":
            reset_slope = slope[:-1] if rule.delay else rule.spike.derivative(m[:-1] - threshold)
            if not subtract:
                lost = decay * m[:-1] + (x[1:] if dropped else 0)
            carried = carried - reset_slope * lost
        if rule.delay:
            if grad_m is not None:
                start = fired + grad_m
            else:
                start = fired.clone() if ctx.needs_input_grad[2] else fired
            by_u = reverse_scan(start, carried)
            by_m = at_once = None
        else:
            taken = threshold if subtract else u
            kept = 1 - slope * taken
            if not subtract:
                kept = kept - s + resets
            by_m = torch.zeros_like(u) if grad_m is None else grad_m.clone()
            by_m[:-1] += carried * fired[1:]
            factor = carried * kept[1:]
            at_once = taken.expand_as(u)
            if reset_slope is not None:
                factor = factor + reset_slope * at_once[1:]
            by_u = fired + kept * reverse_scan(by_m, factor)
        by_x, by_decay, by_threshold = by_u, None, None
        if dropped:
            by_x = by_u * (1 - torch.cat([first[None], r]))
        if ctx.needs_input_grad[1]:
            by_decay = by_u[1:] * m[:-1]
            if not subtract and rule.reset != "none":
                by_decay = by_decay * (1 - r)
            by_decay = by_decay.sum_to_size(decay.shape)
        if ctx.needs_input_grad[2]:
            # θ shifts both spikes and resets, and is what a reset by subtraction takes away.
            moved = fired if at_once is None else fired - slope * at_once * by_m
            moved = moved + by_u * torch.cat([first[None], r]) if subtract else moved.clone()
            if reset_slope is not None:
                moved[:-1] -= reset_slope * lost * by_u[1:]
            if by_m is not None and at_once is not None:
                if subtract:
                    moved += (s - resets) * by_m
                if reset_slope is not None:
                    moved[:-1] += reset_slope * at_once[1:] * by_m[1:]
            by_threshold = -moved.sum_to_size(threshold.shape)
        return by_x, by_decay, by_threshold, None


def _fire(spike: Spike, u: torch.Tensor, threshold: torch.Tensor, out: torch.Tensor) -> None:
    if spike.forward == "hard":
        torch.gt(u, threshold, out=out)
    else:
        out.copy_(spike.value(u - threshold))
