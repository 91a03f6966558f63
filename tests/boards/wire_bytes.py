"""How many bytes real samples take on the wire: ``python -m tests.boards.wire_bytes``, with
SPIKEWRIGHT_DATA naming the folder with ``nmnist/train.npz`` and ``mnist``."""

import gzip
import os
from pathlib import Path

import numpy as np

from spikewright.boards.frames import CRC_BYTES
from spikewright.boards.host import FrameCounter, encode_inference
from spikewright.boards.protocol import Command
from spikewright.gen import Layer, NetworkSpec, Neuron
from spikewright.gen.coding import Input, InputKind
from spikewright.gen.synapses import Conv2d, Linear

SAMPLES, WINDOW = 50, 512 - CRC_BYTES
NEURON = Neuron(decay=15, decay_fraction=4, threshold=40)


def dense(shape, timesteps, **more) -> NetworkSpec:
    """A network whose first layer numbers its inputs."""
    synapse = Linear(weight=np.ones((10, int(np.prod(shape)))), weight_bits=4)
    return NetworkSpec(input_shape=shape, timesteps=timesteps, **more,
                       layers=(Layer(name="fc", synapse=synapse, neuron=NEURON),))


def convolution(shape, timesteps, **more) -> NetworkSpec:
    """A network whose first layer knows its inputs by place."""
    synapse = Conv2d(weight=np.ones((4, shape[0], 3, 3)), weight_bits=4, input_shape=shape)
    return NetworkSpec(input_shape=shape, timesteps=timesteps, **more,
                       layers=(Layer(name="conv", synapse=synapse, neuron=NEURON),))


def nmnist(folder: Path, timesteps: int):
    """(samples, timesteps, inputs): whether a pixel had an event in a timestep."""
    with np.load(folder / "nmnist" / "train.npz") as file:
        x, y, p, t, offsets = (file[name] for name in ("x", "y", "p", "t", "offsets"))
    for n in range(SAMPLES):
        rows = slice(offsets[n], offsets[n + 1])
        frames = np.zeros((timesteps, 2, 34, 34), bool)
        when = np.minimum(t[rows].astype(np.int64) * timesteps // 308_000, timesteps - 1)
        frames[when, p[rows], y[rows], x[rows]] = True
        yield frames.reshape(timesteps, -1)


def mnist(folder: Path):
    """(samples, 1, 784): grey values."""
    with gzip.open(folder / "mnist" / "train-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(16 + SAMPLES * 784)[16:], np.uint8)
    yield from pixels.reshape(SAMPLES, 1, 784)


def main() -> None:
    folder = Path(os.environ["SPIKEWRIGHT_DATA"])
    held = {"input": Input(kind=InputKind.CURRENT, bits=8)}
    for name, spec, samples in (
        ("N-MNIST, 10 timesteps, dense", dense((2, 34, 34), 10), nmnist(folder, 10)),
        ("N-MNIST, 100 timesteps, dense", dense((2, 34, 34), 100), nmnist(folder, 100)),
        ("N-MNIST, 10 timesteps, conv", convolution((2, 34, 34), 10), nmnist(folder, 10)),
        ("N-MNIST, 308 timesteps, conv", convolution((2, 34, 34), 308), nmnist(folder, 308)),
        ("MNIST, held currents", dense((1, 28, 28), 25, **held), mnist(folder)),
    ):
        events = body = wire = before = 0
        for sample in samples:
            data = encode_inference(spec, sample)
            values = spec.input.bits > 1
            counter, size = FrameCounter(), WINDOW // 2 - 1
            pieces = [data[at : at + size] for at in range(0, len(data), size)]
            wire += sum(len(counter.commands(piece + bytes([Command.PING] * (piece is not
                        pieces[-1])))) for piece in pieces)
            events += (sample != 0).sum()
            body += len(data)
            before += (2 + values) * (sample != 0).sum() + len(sample)
        print(f"| {name} | {events / SAMPLES:.0f} | {body / events:.2f} "
              f"| {wire / events:.2f} | {before / events:.2f} |")


if __name__ == "__main__":
    main()
