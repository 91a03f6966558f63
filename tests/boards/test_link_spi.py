"""The driver's whole conversation through an SPI controller."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from spikewright.boards import connect
from spikewright.boards.batch import run_batch
from spikewright.boards.link_simulated_spi import SimulatedSpiLink
from spikewright.boards.link_spi import SpiLink
from spikewright.boards.protocol import (
    BoardFaultError,
    Command,
    Fault,
    LinkError,
    LinkTimeoutError,
    WrongBitstreamError,
)
from spikewright.gen import Folding, simulate
from spikewright.gen.counters import COUNTERS

from ..gen.examples import two_layers

SPEC = two_layers(inputs=12, hidden=6, classes=3, timesteps=4)
FOLDING = Folding.lanes(4, 3, spec=SPEC)
SPIKES = np.random.default_rng(3).random((3, 4, 12)) < 0.4


def test_a_board_at_a_controller_answers_like_any_other():
    golden = simulate(SPEC, SPIKES, engine="golden")
    trace = simulate(SPEC, SPIKES, engine="cycles", folding=FOLDING)
    with connect(SimulatedSpiLink(SPEC, FOLDING, window=64, buffer=64)) as board:
        board.identity.expect(SPEC)
        for sample, (result, counted) in enumerate(board.observe(SPEC, SPIKES)):
            assert result.scores == tuple(golden.scores[sample].tolist())
            assert result.winner == golden.prediction[sample]
            assert counted.cycles == trace.cycles[sample]
            for column, counter in enumerate(COUNTERS):
                np.testing.assert_array_equal(counted.layers[:, column],
                                              trace.counters[counter.name][sample])
        assert run_batch(board, SPEC, FOLDING, SPIKES[:2], 3).differences == ()
        with pytest.raises(WrongBitstreamError, match="program the bitstream of this run"):
            list(board.infer(two_layers(seed=9), SPIKES))
        with pytest.raises(BoardFaultError) as caught:
            board._ask(b"\x1e" + bytes([Command.COUNTERS]), object)
        assert caught.value.faults == Fault.UNKNOWN
        # Whatever else was on the line.
        board.link.send(b"\x41\xff\x00\x02")
        board.reset()
        assert next(board.infer(SPEC, SPIKES)).scores == tuple(golden.scores[0].tolist())
    with pytest.raises(LinkError, match="closed"):
        board.reset()


class Silent(SpiLink):
    def __init__(self):
        super().__init__(lambda data: bytes(len(data)))
        self.seconds = 0.0

    def now(self):
        return self.seconds

    def rest(self):
        self.seconds += 0.5


def test_a_controller_without_a_board_is_an_error_in_time():
    with pytest.raises(LinkTimeoutError, match="did not answer"):
        connect(Silent(), timeout=2)


def test_spidev_carries_the_same_bytes(monkeypatch):
    """Its module, whose part is played by a simulated board."""
    simulated = SimulatedSpiLink(SPEC, FOLDING, window=64, buffer=64)
    told = {}

    class SpiDev:
        def open(self, bus, select):
            told["at"] = bus, select

        def xfer2(self, data):
            return list(simulated._transfer_simulated(bytes(data)))

        def close(self):
            told["closed"] = self.max_speed_hz, self.mode

    with pytest.raises(LinkError, match="pip install"):
        connect("/dev/spidev1.0")
    monkeypatch.setitem(sys.modules, "spidev", SimpleNamespace(SpiDev=SpiDev))
    with connect("/dev/spidev1.0", baud=2_000_000) as board:
        assert next(board.infer(SPEC, SPIKES)).winner == simulate(
            SPEC, SPIKES[:1], engine="golden").prediction[0]
    assert told == {"at": (1, 0), "closed": (2_000_000, 0)}
    with pytest.raises(LinkError, match="bus and select"):
        connect("/dev/spidev")


def test_a_controller_that_cannot_be_used_has_a_name(monkeypatch):
    class SpiDev:
        def open(self, bus, select):
            raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setitem(sys.modules, "spidev", SimpleNamespace(SpiDev=SpiDev))
    with pytest.raises(LinkError, match="cannot be opened"):
        connect("/dev/spidev0.0")

    def broken(data):
        raise OSError("gone")

    with pytest.raises(LinkError, match="check the wires"):
        SpiLink(broken).send(b"a")
