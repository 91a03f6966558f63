"""Training steps beside plain snnTorch's: the same net, loss, algorithm and machine, one thread
each, in turns. Plain snnTorch is its tutorials' loop, the whole net timestep after timestep, and
PyTorch's AdamW as it comes; ours is what Trainer does, whose AdamW is fused."""

import time
from collections.abc import Callable
from itertools import pairwise

import snntorch as snn
import snntorch.functional as SF
import torch
from snntorch import surrogate, utils
from torch import nn

from spikewright.model import nets
from spikewright.model.recipe import Recipe
from spikewright.model.training.trainer import optimizer

#: Seconds that each net takes turns.
PATIENCE = 4.0


def plain(net: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Spikes (timesteps, batch, classes) for x (timesteps, batch, inputs), as users of snnTorch
    write it."""
    utils.reset(net)
    return torch.stack([net(step) for step in x])


def ours(net: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    return nets.unroll(net, x).votes


def dense(*sizes: int) -> nn.Sequential:
    """Linear and Leaky, as users of snnTorch write them."""
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        modules += [nn.Linear(inputs, outputs),
                    snn.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(), init_hidden=True)]
    return nn.Sequential(*modules)


def _convolutional() -> nn.Sequential:
    recipe = Recipe.load("nmnist_conv")
    return nets.build(recipe, (2, 34, 34), 10, merge=recipe.training.merge)


#: Net, inputs, timesteps, samples of a batch.
NETS: dict[str, tuple[Callable[[], nn.Sequential], int, int, int]] = {
    "784 → 128 → 10": (lambda: dense(784, 128, 10), 784, 4, 128),
    "784 → 128 → 10, longer": (lambda: dense(784, 128, 10), 784, 25, 128),
    "2312 → 256 → 10": (lambda: dense(2312, 256, 10), 2312, 30, 32),
    "recipe nmnist_conv": (_convolutional, 2312, 30, 32),
}


def measure() -> list[dict]:
    """Milliseconds of processor time for a step of each, forward, backward and optimizer: the best
    of some, and how many times as fast ours is."""
    torch.set_num_threads(1)
    rows = []
    for name, (make, inputs, timesteps, batch) in NETS.items():
        torch.manual_seed(0)
        x = (torch.rand(timesteps, batch, inputs) < 0.1).float()
        y = torch.randint(10, (batch,))
        net = make()
        run = {
            "snntorch": _step(net, plain, x, y, torch.optim.AdamW(net.parameters(), lr=1e-4)),
            "spikewright": _step(net, ours, x, y, optimizer(net.parameters(), lr=1e-4)),
        }
        best = dict.fromkeys(run, float("inf"))
        start = time.process_time()
        while time.process_time() < start + PATIENCE:
            for kind, step in run.items():
                best[kind] = min(best[kind], step())
        dense_net = "nmnist" not in name
        rows.append({
            "what": f"{name}, T = {timesteps}, {batch} samples: milliseconds of a training step",
            **{f"{kind}_ms": round(1000 * seconds, 2) for kind, seconds in best.items()},
            "times_as_fast": round(best["snntorch"] / best["spikewright"], 2),
            "promised": "≥ 1.5" if dense_net else "≥ 1",
        })
    return rows


def _step(
    net: nn.Sequential, forward: Callable[..., torch.Tensor], x: torch.Tensor, y: torch.Tensor,
    optimizer: torch.optim.Optimizer,
) -> Callable[[], float]:
    """One training step, which returns the seconds that it took."""
    loss = SF.ce_count_loss()

    def step() -> float:
        start = time.process_time()
        optimizer.zero_grad()
        loss(forward(net, x), y).backward()
        optimizer.step()
        return time.process_time() - start

    step()
    return step
