"""A board at an SPI controller that sends anything, and lets go of CS at any edge."""

import numpy as np
import pytest

from spikewright.boards import connect
from spikewright.boards.link_simulated_spi import SimulatedSpiLink, levels
from spikewright.gen import simulate

from .test_virtual_board import FOLDING, FUZZED, noise


class Cutting(SimulatedSpiLink):
    """Ends a transfer after any cycle of it, within a bit or between two, when told to."""

    def cut(self, data: bytes, rng: np.random.Generator) -> None:
        """Sends a part of ``data``; CS is then high for as long as it has to be."""
        whole = list(levels(data))
        at = int(rng.integers(1, len(whole)))
        self._levels.extend([*whole[:at], *[(1, 0, 0, False)] * 8])
        self._run()
        self._bits.clear()


@pytest.mark.parametrize("rounds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_it_is_there_again_after_anything(rounds):
    rng = np.random.default_rng(rounds)
    spikes = rng.random((2, 4, 20)) < 0.3
    expected = simulate(FUZZED, spikes, engine="golden")
    link, sent = Cutting(FUZZED, FOLDING, window=64, buffer=64), 0
    with connect(link, timeout=1) as board:
        for _ in range(rounds):
            for _ in range(3):
                data = noise(rng, spikes)
                begin = int(rng.integers(len(data) - 40))
                piece = data[begin : begin + int(rng.integers(1, 40))]
                link.cut(piece, rng) if rng.random() < 0.5 else link.send(piece)
                sent += len(piece)
            board.reset()
            results = list(board.infer(FUZZED, spikes))
            assert [result.scores for result in results] == list(
                map(tuple, expected.scores.tolist()))
    print(f"{sent} bytes, {3 * rounds} pieces, half of them cut, {link.cycles} cycles")
