"""Boards that say what a test needs."""

from spikewright.boards.protocol import VERSION, Identity
from spikewright.gen.counters import COUNTERS, NETWORK_COUNTERS

#: Counter words of a network of two layers.
WORDS = 2 * len(COUNTERS) + len(NETWORK_COUNTERS)


def identity(inputs=20, ways=1, value_bits=0, classes=5, score_bits=4, timesteps=4,
             counter_words=WORDS) -> Identity:
    return Identity(
        version=VERSION, digest=bytes(8), shape=bytes(8), inputs=inputs, ways=ways,
        value_bits=value_bits, classes=classes, score_bits=score_bits, timesteps=timesteps,
        layers=2, counter_words=counter_words, window=64, buffer=64,
    )
