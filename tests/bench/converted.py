"""Nets that were trained as QNNs, with clip-floors, and then became spiking nets: on MNIST and on
N-MNIST, both held as a current."""

import math

import numpy as np
import torch
from torch import nn

from spikewright.gen import Input, InputKind
from spikewright.gen.spec import NetworkSpec
from spikewright.gen.stimulus import Stimulus
from spikewright.model import compile
from spikewright.model.conversion.clip_floor import clip_floored
from spikewright.model.conversion.conversion import convert
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load
from spikewright.model.data.stimuli import encode
from spikewright.model.training.trainer import seeded

from . import conversion

TIMESTEPS, WEIGHT_BITS = 4, 8
#: Bits of a pixel's events, what the net makes of one, and how long it trains.
EVENT_BITS, EVENT_SCALE, EPOCHS = 4, 1 / 4, 40


def fc(seed: int) -> tuple[NetworkSpec, Stimulus]:
    """784-128-64-10 on MNIST, as the part ``ann_to_snn`` trains it."""
    splits = load(Data(source="mnist"))
    (x, y), (held, labels) = (
        (part.images[:most].reshape(most, 1, -1), part.labels[:most])
        for part, most in ((splits.train, conversion.TRAINED),
                           (splits.held_back, conversion.JUDGED)))
    net = conversion._trained(x, y, TIMESTEPS, seed)
    samples = torch.from_numpy(x[:2000, 0]).float() / 255
    return _spiking(net, samples, 1 / 255, (784,), 8), Stimulus(held, labels)


def conv(seed: int) -> tuple[NetworkSpec, Stimulus]:
    """34×34×2–16C5s2–P2–32C3–P2–128–10 on N-MNIST's events of each pixel."""
    splits = load(Data(source="events:nmnist/train.npz"))
    encoding = Encoding(kind="current", bits=EVENT_BITS, timesteps=TIMESTEPS)
    train, held = (encode(encoding, part, "encoding")
                   for part in (splits.train, splits.held_back))
    seeded(seed)
    net = clip_floored(nn.Sequential(
        nn.Conv2d(2, 16, 5, stride=2, padding=2), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10)), TIMESTEPS)
    x, y = _frames(train.spikes), torch.from_numpy(train.labels)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    for epoch in range(EPOCHS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 + math.cos(math.pi * epoch / EPOCHS))
        for which in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(net(x[which]), y[which])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return _spiking(net.eval(), x, EVENT_SCALE, (2, 34, 34), EVENT_BITS), held


def _frames(held: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(held.reshape(-1, 2, 34, 34)).float() * EVENT_SCALE


def _spiking(net: nn.Module, samples: torch.Tensor, scale: float, shape: tuple[int, ...],
             bits: int) -> NetworkSpec:
    made = convert(net, samples, TIMESTEPS, input_scale=scale)
    return compile(made.net, shape, TIMESTEPS, bits=WEIGHT_BITS, readout=made.readout,
                   input=Input(kind=InputKind.CURRENT, bits=bits))


NETS = {"fc": fc, "conv": conv}
