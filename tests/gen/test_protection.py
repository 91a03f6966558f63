"""Codes of weights: what flips do to a coded word, and to the layers that read it."""

import random
from itertools import combinations

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import Folding, first_difference, simulate
from spikewright.gen.errors import FoldingError
from spikewright.gen.faults import Kind, draw, memories
from spikewright.gen.folding import LayerFolding, Protection, Storage
from spikewright.gen.plan import layer_plans
from spikewright.gen.protection import WordCode
from spikewright.gen.rtl.protection import WeightDecoder
from spikewright.gen.rtl.weights import WeightStore, load_image, packed

from .examples import of_everything
from .test_weights import random_words
from .timing import Design, random_design

CODED = [Protection.PARITY, Protection.ECC]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(2, 8), st.integers(0, 1 << 320))
def test_one_flip_is_mended_and_two_are_found(lanes, bits, word):
    code = WordCode(lanes, bits, Protection.ECC)
    word &= (1 << code.data_bits) - 1
    coded = code.encode(word)
    assert code.decode(coded) == (word, False, False)
    for bit in range(code.width):
        assert code.decode(coded ^ 1 << bit) == (word, True, False)
    group = code.groups[-1]
    places = [*range(group.first, group.first + group.bits),
              *range(group.checks, group.checks + group.check_bits)]
    cleared = word & ~(((1 << group.bits) - 1) << group.first)
    for one, other in combinations(places, 2):
        assert code.decode(coded ^ 1 << one ^ 1 << other) == (cleared, False, True)


@given(st.integers(1, 40), st.integers(2, 8), st.integers(0, 1 << 320), st.data())
def test_parity_finds_odd_numbers_of_flips(lanes, bits, word, data):
    code = WordCode(lanes, bits, Protection.PARITY)
    word &= (1 << code.data_bits) - 1
    group = data.draw(st.sampled_from(code.groups))
    places = [*range(group.first, group.first + group.bits), group.checks]
    flipped = data.draw(st.sets(st.sampled_from(places)))
    coded = code.encode(word) ^ sum(1 << place for place in flipped)
    read, mended, rejected = code.decode(coded)
    assert not mended
    assert rejected == len(flipped) % 2
    if rejected:
        assert read == word & ~(((1 << group.bits) - 1) << group.first)


def test_check_bits():
    """One bit in nine, and the eight of seventy-two that memories are built for."""
    assert WordCode(16, 8, Protection.PARITY).width == 16 * 9
    assert WordCode(16, 4, Protection.PARITY).width == 8 * 9
    assert WordCode(16, 4, Protection.ECC).width == 72
    assert WordCode(128, 4, Protection.ECC).width == 8 * 72
    assert WordCode(13, 2, Protection.ECC).width == 32


@pytest.mark.parametrize("protect", CODED)
@pytest.mark.parametrize(("lanes", "bits"), [(3, 3), (19, 4), (7, 8)])
def test_hardware_decodes_as_the_code_says(protect, lanes, bits):
    rng = random.Random(lanes)
    code = WordCode(lanes, bits, protect)
    words = []
    for flips in range(40):
        coded = code.encode(rng.getrandbits(code.data_bits))
        for place in rng.sample(range(code.width), flips % 4):
            coded ^= 1 << place
        words.append(coded)
    seen = []
    dut = WeightDecoder(code)

    async def bench(ctx):
        for word in words:
            ctx.set(dut.i, word)
            await ctx.tick()
            seen.append((ctx.get(dut.o), bool(ctx.get(dut.mended)), bool(ctx.get(dut.rejected))))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [code.decode(word) for word in words]


@pytest.mark.parametrize("protect", CODED)
@pytest.mark.parametrize("storage", [Storage.LOADABLE, Storage.SPRAM])
def test_loaded_words_are_coded(protect, storage):
    """The image holds weights alone; hardware adds the check bits."""
    rng = random.Random(0)
    built, loaded = (random_words(rng, 5, 3, 4) for _ in range(2))
    dut = WeightStore(built, 3, 4, storage, protect)
    image = load_image(loaded, 4)
    assert len(image) == 5 * dut.word_bytes
    words = _read_raw(dut, image)
    assert words == [dut.code.encode(packed(word, 4)) for word in loaded]


def _read_raw(dut: WeightStore, image: bytes) -> list[int]:
    words = []

    async def bench(ctx):
        ctx.set(dut.load.begin, 1)
        await ctx.tick()
        ctx.set(dut.load.begin, 0)
        ctx.set(dut.load.valid, 1)
        for byte in image:
            ctx.set(dut.load.byte, byte)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        await ctx.tick().repeat(2)
        ctx.set(dut.enable, 1)
        for address in range(dut.depth):
            ctx.set(dut.address, address)
            await ctx.tick()
            words.append(ctx.get(dut.data))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return words


def protected(seed: int, samples: int = 1) -> Design:
    """``random_design(seed)`` with codes for its Linear layers."""
    design = random_design(seed, samples)
    rng = np.random.default_rng(seed)
    foldings = []
    for layer, chosen in zip(design.spec.layers, design.folding.of(design.spec), strict=True):
        code = CODED[rng.integers(2)] if len(layer.synapse.weight.shape) == 2 else Protection.NONE
        foldings.append(LayerFolding(**{**vars(chosen), "protect": code}))
    return Design(seed, design.spec, Folding.each(*foldings, spec=design.spec), design.signals)


def assert_protected_equals_hardware(design: Design, count: int):
    """Cycles, and every counter of mended and rejected words, are the models'."""
    found = memories(layer_plans(design.spec, design.folding))
    flips = draw(found, [Kind.WEIGHTS], min(count, sum(
        memory.bits for memory in found if memory.kind is Kind.WEIGHTS)),
        samples=len(design.signals), timesteps=1, rng=np.random.default_rng(design.seed))
    hardware, model = (
        simulate(design.spec, design.signals, engine=engine, folding=design.folding, flips=flips,
                 membranes=True) for engine in ("amaranth", "cycles"))
    assert hardware.counters.keys() == model.counters.keys()
    assert first_difference(hardware, model) is None, design
    return hardware


@pytest.mark.parametrize(("seed", "count"), [(1, 60), (7, 10)])
def test_protected_layers_equal_hardware(seed, count):
    hardware = assert_protected_equals_hardware(protected(seed), count)
    assert sum(hardware.counters[name].sum() for name in ("weights_mended", "weights_rejected"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_protected_layers_equal_hardware_long(seed):
    assert_protected_equals_hardware(protected(seed, 2), [0, 5, 40, 400][seed % 4])


def test_what_cannot_be_protected_is_refused(small_net):
    with pytest.raises(FoldingError, match="protect is 'tmr'; allowed are none, parity, ecc"):
        LayerFolding(protect="tmr")
    with pytest.raises(FoldingError, match="ecc of a convolution's weights is not built"):
        layer_plans(of_everything(), Folding(default=LayerFolding(protect="ecc")))
    with pytest.raises(FoldingError, match="of 72 bits, 8 of them for ecc, need 5 large memories"):
        WeightStore([[0] * 16] * 10, 16, 4, Storage.SPRAM, Protection.ECC)
