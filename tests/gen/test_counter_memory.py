"""The hardware counters against plain integers."""

import random

import pytest
from amaranth.sim import Simulator

from spikewright.gen.counters import COUNTERS, NETWORK_COUNTERS
from spikewright.gen.rtl import counters as rtl
from spikewright.gen.rtl.counters import Counters, LayerEvents

NAMES = [counter.name for counter in COUNTERS]


class Model:
    """What :class:`Counters` must hold, advanced cycle by cycle."""

    def __init__(self, layers: int):
        self.layers = layers
        self.words = [0] * (len(COUNTERS) * layers + len(NETWORK_COUNTERS))

    def cycle(self, amounts: list[dict[str, int]], active: int, undecided: int, clear: int):
        for n, layer in enumerate(amounts):
            for place, counter in enumerate(COUNTERS, start=n * len(COUNTERS)):
                amount = layer[counter.name]
                if counter.peak:
                    self.words[place] = max(self.words[place], amount)
                elif active or not counter.active:
                    self.words[place] += amount
        for n in range(len(NETWORK_COUNTERS)):
            self.words[len(COUNTERS) * self.layers + n] += active & ((2 * undecided + 1) >> n) & 1
        if clear:
            self.words = [0] * len(self.words)


def check(most: list[dict[str, int]], *, cycles: int, seed: int, density: float, clears: float,
          bits: int = 32):
    """Random amounts, reads and clears; each read returns what the model held a cycle before.

    Returns the highest value of each word that was read.
    """
    dut = Counters([LayerEvents(**layer) for layer in most])
    model = Model(len(most))
    chance = random.Random(seed)
    limits = [dut.layers[n].most for n in range(len(most))]
    highest = [0] * dut.words

    async def bench(ctx):
        reading: int | None = None
        waited, before = 0, list(model.words)
        for _ in range(cycles):
            if ctx.get(dut.valid):
                assert reading is not None
                assert ctx.get(dut.data) == before[reading] % (1 << bits), reading
                highest[reading] = max(highest[reading], before[reading])
                reading = None
                ctx.set(dut.read, 0)
            if reading is None and chance.random() < 0.5:
                reading, waited = chance.randrange(dut.words), 0
                ctx.set(dut.address, reading)
                ctx.set(dut.read, 1)
            waited += 1
            assert waited <= dut.words + 1 or reading is None
            amounts = [
                {name: chance.choice((limit, chance.randint(0, limit)))
                 if chance.random() < density else 0 for name, limit in layer.items()}
                for layer in limits
            ]
            for n, layer in enumerate(amounts):
                for name, amount in layer.items():
                    ctx.set(getattr(getattr(dut, f"layer_{n}"), name), amount)
            active, clear = int(chance.random() < density), int(chance.random() < clears)
            ctx.set(dut.active, active)
            undecided = chance.getrandbits(len(NETWORK_COUNTERS) - 1)
            ctx.set(dut.undecided, undecided)
            ctx.set(dut.clear, clear)
            waited *= not clear  # turns begin anew
            before = list(model.words)
            model.cycle(amounts, active, undecided, clear)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return highest


@pytest.mark.parametrize("density", [0.02, 0.7, 1.0])
@pytest.mark.parametrize("most", [
    [{}],
    [{"synops": 128 * 8, "saturations": 16, "queue_peak": 16}, {"synops": 3, "queue_peak": 5}],
])
def test_equals_the_model_with_random_clears(most, density):
    check(most, cycles=3000, seed=len(most), density=density, clears=0.01)


def test_no_amount_is_lost_at_full_rate():
    """Every cycle the most that is allowed, far beyond the low bits."""
    most = {"synops": 128 * 8}
    highest = check([most, most, {}], cycles=3000, seed=0, density=1.0, clears=0.0)
    assert highest[NAMES.index("synops")] > 50 * 128 * 8 * 28
    assert highest[NAMES.index("events_in") + 2 * len(NAMES)] > 50 * 28


def test_counters_wrap(monkeypatch):
    monkeypatch.setattr(rtl, "COUNTER_BITS", 8)
    highest = check([{}], cycles=3000, seed=0, density=1.0, clears=0.0, bits=8)
    assert highest[0] > 4 << 8


def test_too_narrow_low_bits_are_found(monkeypatch):
    """The comparison can fail: were the turns a little rarer than the widths assume, it would."""
    monkeypatch.setattr(Counters, "_low_width", staticmethod(lambda most, words: 3))
    with pytest.raises(AssertionError):
        check([{}], cycles=3000, seed=0, density=1.0, clears=0.0)


def test_an_unknown_counter_is_refused():
    with pytest.raises(ValueError, match="synapses: no such counter"):
        LayerEvents(synapses=3)
