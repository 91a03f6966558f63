import random

import pytest

from spikewright.gen.rtl.readout import SpikeCountReadout

from .streams import check_stream


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0.5), (0.1, 0.8)])
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_counts_and_decides(classes, stalls):
    chance = random.Random(classes)
    sent, expected = [], []
    for _ in range(6):
        counts = [0] * classes
        for t in range(4):
            spiking = [n for n in range(classes) if chance.random() < 0.5]
            for n in spiking:
                counts[n] += 1
                sent.append({"address": n, "event": 1, "tick": 0, "last": 0})
            tick = {"tick": 1, "last": int(t == 3)}
            if spiking and chance.random() < 0.5:
                sent[-1].update(tick)
            else:
                sent.append({"address": 0, "event": 0, **tick})
        for n in range(classes):
            so_far = counts[: n + 1]
            expected.append({"index": n, "count": counts[n],
                             "winner": so_far.index(max(so_far)), "last": int(n == classes - 1)})
    check_stream(SpikeCountReadout(classes, 4), sent, expected, stalls=stalls)
