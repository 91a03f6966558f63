"""Milliseconds of a backward pass with sparse gradients beside dense ones: the same net, inputs and
machine, one thread, in turns, medians of processor time.

Dense is ours over all timesteps at once (:mod:`spikewright.model.scan`), and plain snnTorch, step
by step, beside it. The band is set so that the share given of hidden neurons, timesteps and samples
is active.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import snntorch as snn
import torch
from torch import nn

from spikewright.model import nets
from spikewright.model.surrogates import build
from spikewright.model.training import sparse_gradient
from spikewright.model.training.sparse_gradient import banded

from .training import plain

#: Sizes, timesteps, samples of a batch.
NETS = {
    "784 → 512 → 10": ((784, 512, 10), 25, 128),
    "784 → 512 → 512 → 10": ((784, 512, 512, 10), 25, 128),
    "2312 → 256 → 10": ((2312, 256, 10), 10, 32),
}

ACTIVE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

#: Turns that each takes.
TURNS = 9


def measure() -> list[dict]:
    torch.set_num_threads(1)
    rows = []
    for name, (sizes, timesteps, batch) in NETS.items():
        torch.manual_seed(0)
        net = _net(sizes)
        x = (torch.rand(timesteps, batch, sizes[0]) < 0.1).float()
        y = torch.randint(sizes[-1], (batch,))
        distances = _distances(net, x)
        turn = partial(_turn, net, x=x, y=y)
        runs = {"snntorch": partial(turn, plain), "dense": partial(turn, _ours)}
        for active in ACTIVE:
            band = distances.kthvalue(max(1, round(active * len(distances)))).values.item()
            runs[f"{active:.0%}"] = partial(turn, _ours, band=band)
        # What switching to dense products avoids.
        runs["100% without break-even"] = partial(turn, _ours, band=1e9, break_even=_always)
        times: dict[str, list[float]] = {kind: [] for kind in runs}
        for number in range(TURNS + 1):
            for kind, run in runs.items():
                seconds = run()
                if number:  # the first one compiles and fills caches
                    times[kind].append(1000 * seconds)
        medians = {kind: statistics.median(found) for kind, found in times.items()}
        rows.append({
            "what": f"{name}, T = {timesteps}, {batch} samples: milliseconds of a backward pass",
            **{kind: round(ms, 2) for kind, ms in medians.items()},
            "times as fast as dense at 10%": round(medians["dense"] / medians["10%"], 2),
            "at 1%": round(medians["dense"] / medians["1%"], 2),
            "promised": "> 1 at ≤ 10 %",
        })
    return rows


def _net(sizes: tuple[int, ...]) -> nn.Sequential:
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight *= 3
        modules += [linear, snn.Leaky(beta=0.9, spike_grad=build("fast_sigmoid"),
                                      init_hidden=True)]
    return nn.Sequential(*modules)


def _neurons(net: nn.Sequential) -> list[snn.Leaky]:
    return [module for module in net if isinstance(module, snn.Leaky)]


def _distances(net: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """|u − θ| of all hidden neurons, timesteps and samples."""
    found = []
    with torch.no_grad():
        for linear, neuron in zip(net[::2], _neurons(net)[:-1], strict=False):
            x, u = nets.over_time(neuron, linear(x))
            found.append((u - 1).abs().flatten())
    return torch.cat(found)


def _ours(net: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    return nets.unroll(net, x).votes


def _always(rows: int, neurons: int) -> float:
    return 1.0


def _turn(
    net: nn.Sequential, forward: Callable[..., torch.Tensor], x: torch.Tensor, y: torch.Tensor,
    band: float | None = None, break_even: Callable[[int, int], float] = sparse_gradient.break_even,
) -> float:
    """Seconds of a backward pass."""
    spike = build("fast_sigmoid")
    for neuron in _neurons(net):
        neuron.spike_grad = spike if band is None else banded(spike, band)
    before, sparse_gradient.break_even = sparse_gradient.break_even, break_even
    try:
        net.zero_grad()
        loss = nn.functional.cross_entropy(forward(net, x).sum(0), y)
        start = time.process_time()
        loss.backward()
        return time.process_time() - start
    finally:
        sparse_gradient.break_even = before
