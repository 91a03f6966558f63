"""Bytes on their way into the memories of a network."""

from collections.abc import Iterable
from typing import Any

from amaranth import *
from amaranth.hdl import ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out


class LoadSignature(wiring.Signature):
    """Bytes on their way into a memory; seen from where they come from. No byte is refused.

    Members
    -------
    begin : Out
        The next byte is the first of word 0.
    valid : Out
        A byte is there.
    byte : Out, 8 bits
    """

    def __init__(self):
        super().__init__({"begin": Out(1), "valid": Out(1), "byte": Out(8)})


def word_bytes(width: int) -> int:
    """Bytes in which a word of ``width`` bits is loaded."""
    return -(-width // 8)


class LoadedWord(data.StructLayout):
    """A word that is written in this cycle.

    Members
    -------
    enable : 1
    address : unsigned
    word : unsigned
        The bytes side by side, the first lowest.
    """

    def __init__(self, address: ShapeLike, width: int):
        super().__init__({"enable": 1, "address": address, "word": 8 * word_bytes(width)})


def assembled(m: Module, load: Any, full: Signal, *, width: int,
              depth: int) -> data.View:
    """In ``m``, the bytes of ``load`` to ``depth`` words of ``width`` bits: a view of
    :class:`LoadedWord`.

    A word comes as ⌈width / 8⌉ bytes, the lowest first; words come in order. A word is written in
    the cycle after its last byte. ``full`` is high from the cycle behind the last word's last byte
    on, until ``load.begin``; bytes that come then are not taken.
    """
    write = Signal(LoadedWord(range(max(depth, 2)), width))
    place = Signal(range(word_bytes(width)))
    bits = Signal(8 * word_bytes(width))
    m.d.comb += write.word.eq(bits)
    m.d.sync += write.enable.eq(0)
    with m.If(load.begin):
        m.d.sync += [place.eq(0), write.address.eq(0), full.eq(0)]
    with m.Else():
        with m.If(write.enable):
            m.d.sync += write.address.eq(write.address + 1)
        with m.If(load.valid & ~full):
            m.d.sync += [bits.eq(Cat(bits, load.byte)[8:]), place.eq(place + 1)]
            with m.If(place == word_bytes(width) - 1):
                m.d.sync += [place.eq(0), write.enable.eq(1)]
                with m.If(write.address + write.enable == depth - 1):
                    m.d.sync += full.eq(1)
    return write


def chained(m: Module, load: wiring.PureInterface, stores: Iterable[Any]) -> Value:
    """In ``m``, gives the bytes of ``load`` to ``stores``, one after the other, each of which has
    ``load`` and ``full`` as of :class:`~.weights.WeightStore`; whether all of them are full."""
    full: Value = C(1)
    for store in stores:
        m.d.comb += [store.load.begin.eq(load.begin), store.load.byte.eq(load.byte),
                     store.load.valid.eq(load.valid & full)]
        full = full & store.full
    return full
