import random

import pytest

from spikewright.gen.rtl.router import SpikeSplitter

from .streams import check_stream


def rows(lanes: int, count: int, density: float, seed: int) -> list[dict[str, int]]:
    chance = random.Random(seed)
    result = []
    for n in range(count):
        spikes = sum((chance.random() < density) << lane for lane in range(lanes))
        tick = int(chance.random() < 0.4)
        if spikes or tick:
            result.append({"spikes": spikes, "base": lanes * (n % 5), "tick": tick,
                           "last": tick & int(chance.random() < 0.3)})
    return result


def pieces(row: dict[str, int], lanes: int, width: int) -> list[dict[str, int]]:
    """What the splitter must send for ``row``."""
    found = [
        {"spikes": spikes, "base": row["base"] + first, "tick": 0, "last": 0}
        for first in range(0, lanes, width)
        if (spikes := (row["spikes"] >> first) & ((1 << width) - 1))
    ] or [{"spikes": 0, "base": row["base"], "tick": 0, "last": 0}]
    found[-1].update(tick=row["tick"], last=row["last"])
    return found


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3), (0.8, 0.1)])
@pytest.mark.parametrize(("lanes", "width"), [(1, 1), (5, 1), (16, 1), (40, 16), (33, 8)])
def test_sends_every_spike_once_and_in_order(lanes, width, stalls):
    sent = rows(lanes, 60, 0.2, seed=lanes)
    expected = [piece for row in sent for piece in pieces(row, lanes, width)]
    dut = SpikeSplitter(lanes, width, addresses=lanes * 5)
    check_stream(dut, sent, expected, stalls=stalls)


@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
def test_one_piece_per_cycle_without_a_bubble(density):
    sent = rows(16, 80, density, seed=1)
    expected = [piece for row in sent for piece in pieces(row, 16, 1)]
    cycles = check_stream(SpikeSplitter(16, 1, addresses=80), sent, expected)
    assert cycles == len(expected) + 1  # one cycle of latency


def test_width_must_be_a_power_of_two():
    with pytest.raises(ValueError, match="width is 3"):
        SpikeSplitter(16, 3, addresses=16)
