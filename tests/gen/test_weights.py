# amaranth: UnusedElaboratable=no
"""Weight stores: what they hold, and what loading puts there."""

import random

import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen.errors import FoldingError
from spikewright.gen.folding import Storage
from spikewright.gen.rtl.weights import WeightStore, load_image


def random_words(rng: random.Random, depth: int, lanes: int, bits: int) -> list[list[int]]:
    half = 1 << (bits - 1)
    return [[rng.randrange(-half, half) for _ in range(lanes)] for _ in range(depth)]


def read_all(dut: WeightStore, image: bytes = b"", pauses: random.Random | None = None):
    """Loads ``image`` and reads every word twice over; the words, and how often it was full."""
    words, full = [], []

    async def bench(ctx):
        if image:
            ctx.set(dut.load.begin, 1)
            await ctx.tick()
            ctx.set(dut.load.begin, 0)
            for byte in image:
                full.append(ctx.get(dut.full))
                ctx.set(dut.load.byte, byte)
                ctx.set(dut.load.valid, 1)
                await ctx.tick()
                ctx.set(dut.load.valid, 0)
                if pauses:
                    await ctx.tick().repeat(pauses.randrange(1, 3))
            full.append(ctx.get(dut.full))
            await ctx.tick().repeat(2)
        ctx.set(dut.enable, 1)
        for address in (*range(dut.depth), *reversed(range(dut.depth))):
            ctx.set(dut.address, address)
            await ctx.tick()
            words.append([ctx.get(dut.data[lane]) for lane in range(dut.shape.length)])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return words, full


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 9), st.integers(1, 7), st.integers(2, 8), st.booleans(),
       st.sampled_from([Storage.LOADABLE, Storage.SPRAM]), st.integers(0, 99))
def test_a_store_holds_what_was_loaded_last(depth, lanes, bits, slowly, storage, seed):
    rng = random.Random(seed)
    built, loaded = (random_words(rng, depth, lanes, bits) for _ in range(2))
    dut = WeightStore(built, lanes, bits, storage)
    image = load_image(loaded, bits)
    assert len(image) == depth * dut.word_bytes
    assert dut.image == load_image(built, bits)
    pauses = rng if slowly else None
    words, full = read_all(dut, image, pauses)
    assert words == loaded + loaded[::-1]
    # Full with the last byte, so that the next goes to another store, and never before.
    assert full == [0] * len(image) + [1]
    # What follows is not taken.
    words, _ = read_all(WeightStore(built, lanes, bits, storage), image + image[::-1], pauses)
    assert words == loaded + loaded[::-1]


@pytest.mark.parametrize("storage", [Storage.FIXED, Storage.LOADABLE])
def test_the_bitstream_fills_block_memory(storage):
    words = random_words(random.Random(1), 5, 3, 4)
    dut = WeightStore(words, 3, 4, storage)
    assert read_all(dut) == (words + words[::-1], [])


@pytest.mark.parametrize(("depth", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_an_address_is_as_wide_as_the_words_need(depth, bits):
    assert len(WeightStore([[1]] * depth, 1, 2).address) == bits


def test_a_fixed_store_passes_every_byte_on():
    words = random_words(random.Random(2), 4, 2, 4)
    dut = WeightStore(words, 2, 4)
    assert dut.image == b""
    read, full = read_all(dut, b"\xff\x00")
    assert read == words + words[::-1]
    assert full == [1, 1, 1]


@pytest.mark.parametrize(("depth", "lanes", "sprams"), [(6272, 16, 4), (16385, 8, 4), (5, 3, 1)])
def test_large_memories_stand_side_by_side_and_in_turn(depth, lanes, sprams):
    class UltraPlus:
        device = "iCE40UP5K"

    dut = WeightStore([[0] * lanes] * depth, lanes, 4, Storage.SPRAM)
    assert dut.sprams == sprams
    text = rtlil.convert(dut, platform=UltraPlus(), emit_src=False)
    assert text.count("cell \\SB_SPRAM256KA") == sprams
    assert "memory width" not in text
    assert "memory width" in rtlil.convert(WeightStore([[0]], 1, 4, Storage.SPRAM), emit_src=False)


def test_too_much_for_the_large_memories_is_refused():
    with pytest.raises(FoldingError, match=r"need 5 large memories.*a part has 4.*at most 64"):
        WeightStore([[0] * 17], 17, 4, Storage.SPRAM)
