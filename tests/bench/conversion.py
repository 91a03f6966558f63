"""What conversion keeps of a trained net's accuracy, on MNIST, against timesteps: ReLU nets by
every normalisation, and nets trained with clip-floors; in the integers that hardware computes."""

import math
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from torch import nn

from spikewright.gen import Input, InputKind, simulate
from spikewright.gen.console import progress
from spikewright.model import compile
from spikewright.model.conversion.clip_floor import clip_floored
from spikewright.model.conversion.conversion import convert
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load
from spikewright.model.training.trainer import seeded

SEEDS = range(3)
#: Small enough that all of it takes two minutes of one core.
TRAINED, JUDGED, EPOCHS = 20_000, 2_000, 6
TIMESTEPS = (2, 4, 8, 16, 32)

#: Name → levels of the clip-floors (0: ReLU), then how the net is converted and quantised.
VARIANTS: dict[str, tuple[int, dict[str, Any], int]] = {
    "ReLU, largest, 8 bits": (0, {"percentile": 100, "shift": 0}, 8),
    "ReLU, 99.9 %, 8 bits": (0, {"shift": 0}, 8),
    "ReLU, 99.9 %, shift, 8 bits": (0, {}, 8),
    "ReLU, 99 %, shift, 8 bits": (0, {"percentile": 99}, 8),
    "clip-floor 4, shift, 8 bits": (4, {}, 8),
    "clip-floor 4, shift, 4 bits": (4, {}, 4),
    "clip-floor 8, shift, 8 bits": (8, {}, 8),
}


def measure() -> list[dict]:
    """Accuracy on some of MNIST's held-back images, mean ± spread over seeds, for each number of
    timesteps; beside it that of the net before conversion, and spikes a sample."""
    splits = load(Data(source="mnist"))
    (x, y), (held, labels) = (
        (part.images[:most].reshape(most, 1, -1), part.labels[:most])
        for part, most in ((splits.train, TRAINED), (splits.held_back, JUDGED)))
    nets: dict[tuple[int, int], nn.Sequential] = {}
    levels = sorted({count for count, _, _ in VARIANTS.values()})
    with progress("training", len(levels) * len(SEEDS)) as advance:
        for count in levels:
            for seed in SEEDS:
                nets[count, seed] = _trained(x, y, count, seed)
                advance()
    rows = []
    samples = torch.from_numpy(x[:2000, 0]).float() / 255
    with progress("converting", len(VARIANTS) * len(TIMESTEPS) * len(SEEDS)) as advance:
        for name, (count, options, bits) in VARIANTS.items():
            before = [_accuracy(nets[count, seed], held, labels) for seed in SEEDS]
            row = {"what": f"784-128-64-10, {name}", "net": _spread(before)}
            for timesteps in TIMESTEPS:
                after, fired = [], []
                for seed in SEEDS:
                    converted = convert(nets[count, seed], samples, timesteps,
                                        input_scale=1 / 255, **options)
                    spec = compile(converted.net, 784, timesteps, bits=bits,
                                   readout=converted.readout,
                                   input=Input(kind=InputKind.CURRENT, bits=8))
                    trace = simulate(spec, held, engine="golden")
                    after.append(100 * trace.accuracy(labels))
                    fired.append(trace.counters["events_out"][:, :-1].sum(axis=1).mean())
                    advance()
                row[f"T={timesteps}"] = f"{_spread(after)} ({mean(fired):.0f} spikes)"
            rows.append(row)
    return rows


def _trained(images: np.ndarray, labels: np.ndarray, levels: int, seed: int) -> nn.Sequential:
    seeded(seed)
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2),
                        nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    if levels:
        clip_floored(net, levels)
    x, y = torch.from_numpy(images[:, 0]), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(net.parameters())
    for epoch in range(EPOCHS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 + math.cos(math.pi * epoch / EPOCHS))
        for which in torch.randperm(len(x)).split(128):
            loss = nn.functional.cross_entropy(net(x[which].float() / 255), y[which])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


def _accuracy(net: nn.Sequential, images: np.ndarray, labels: np.ndarray) -> float:
    with torch.no_grad():
        found = net(torch.from_numpy(images[:, 0]).float() / 255).argmax(1).numpy()
    return 100 * float((found == labels).mean())


def _spread(values: list[float]) -> str:
    return f"{mean(values):.2f} ± {stdev(values):.2f} %"
