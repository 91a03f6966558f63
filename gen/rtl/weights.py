"""Where the weights of a layer are kept, and how they come there."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..errors import FoldingError
from ..folding import Protection, Storage
from ..protection import WordCode
from .loading import LoadSignature, assembled, word_bytes
from .protection import encoded
from .tables import Tables, in_tables

#: Large memories of an iCE40 UltraPlus, and their shape.
SPRAMS, SPRAM_WIDTH, SPRAM_DEPTH = 4, 16, 1 << 14


def large_memories(width: int, depth: int) -> int:
    """Large memories that ``depth`` words of ``width`` bits fill, side by side and one after
    another."""
    return -(-width // SPRAM_WIDTH) * -(-depth // SPRAM_DEPTH)


def packed(word: Sequence[int], weight_bits: int) -> int:
    """The weights of ``word`` as one number, lane 0 in the lowest bits."""
    mask = (1 << weight_bits) - 1
    return sum((int(weight) & mask) << (lane * weight_bits) for lane, weight in enumerate(word))


def load_image(words: Sequence[Sequence[int]], weight_bits: int) -> bytes:
    """``words`` as the bytes that load them into a :class:`WeightStore`."""
    return b"".join(
        packed(word, weight_bits).to_bytes(word_bytes(len(word) * weight_bits), "little")
        for word in words
    )


class WeightStore(wiring.Component):
    """Words of ``lanes`` weights.

    Throughput: one word a cycle, but none in a cycle in which a loaded word is written. Latency: 1
    cycle.

    A loaded word comes as ⌈width / 8⌉ bytes, the lowest first, lane 0 in the lowest bits; words
    come in order. The word is written in the cycle after its last byte.

    Parameters
    ----------
    words : sequence of sequences of int
        Weights, lane by lane, of each address.
    lanes, weight_bits : int
    storage : Storage
    protect : Protection
        What is read are coded words, :class:`~..protection.WordCode`, and loaded words are coded
        on their way in.

    Members
    -------
    address, enable : In
    data : Out, lanes × signed
        With ``protect`` ``code.width`` bits.
    load : In(LoadSignature)
        Bytes after the last word, and all bytes if the storage is fixed, are not taken.
    full : Out
        The store holds all its words: as built, or loaded since ``begin``. The next byte is for
        another store.

    Raises
    ------
    FoldingError
        If the words are more than the large memories hold.
    """

    def __init__(self, words: Sequence[Sequence[int]], lanes: int, weight_bits: int,
                 storage: Storage = Storage.FIXED, protect: Protection = Protection.NONE):
        self.words = words
        self.depth = len(words)
        self.storage = storage
        self.shape = data.ArrayLayout(signed(weight_bits), lanes)
        self.word_bytes = word_bytes(self.shape.size)
        self.code = WordCode(lanes, weight_bits, protect)
        if storage is Storage.SPRAM and self.sprams > SPRAMS:
            coded = of = ""
            if self.code.groups:
                coded = f", {self.code.width - self.shape.size} of them for {protect.value},"
                of = " and their check bits"
            raise FoldingError(
                f"{self.depth} words of {self.code.width} bits{coded} need {self.sprams} large "
                f"memories of {SPRAM_WIDTH} × {SPRAM_DEPTH} bits, a part has {SPRAMS}; choose "
                f"lanes so that lanes × {weight_bits} bits{of} is at most "
                f"{SPRAMS * SPRAM_WIDTH}, or block memory"
            )
        super().__init__({
            "address": In(range(max(self.depth, 2))), "enable": In(1),
            "data": Out(self._stored),
            "load": In(LoadSignature()),
            "full": Out(1, init=storage is not Storage.SPRAM),  # pyright: ignore[reportCallIssue]
        })

    @property
    def sprams(self) -> int:
        """Large memories that the words fill."""
        return large_memories(self.code.width, self.depth)

    @property
    def _stored(self):
        """Shape of a word in memory."""
        return self.code.width if self.code.groups else self.shape

    @property
    def image(self) -> bytes:
        """What to load so that the store holds its words; nothing if it is fixed."""
        if self.storage is Storage.FIXED:
            return b""
        return load_image(self.words, self.shape.elem_shape.width)

    def elaborate(self, platform):
        m = Module()
        if self.storage is Storage.FIXED:
            if in_tables(platform, self.code.width, self.depth):
                self._tables(m)
            else:
                self._block_memory(m, None)
            m.d.comb += self.full.eq(1)
            return m
        write = self._loader(m)
        if self.storage is Storage.LOADABLE:
            self._block_memory(m, write)
        elif "UP5K" in str(getattr(platform, "device", "")):
            self._large_memory(m, write)
        else:
            # Everywhere else, simulations included, a memory that behaves the same.
            self._block_memory(m, write)
        return m

    def _loader(self, m: Module) -> data.View:
        """Bytes to words; what to write."""
        write = assembled(m, self.load, self.full, width=self.shape.size, depth=self.depth)
        if not self.code.groups:
            return write
        coded = Signal(data.StructLayout(
            {"enable": 1, "address": self.address.shape(), "word": self.code.width}))
        m.d.comb += [coded.enable.eq(write.enable), coded.address.eq(write.address),
                     coded.word.eq(encoded(self.code, write.word))]
        return coded

    @property
    def _coded(self) -> list[int]:
        """Words as they are stored."""
        packs = [packed(word, self.shape.elem_shape.width) for word in self.words]
        return [self.code.encode(word) for word in packs] if self.code.groups else packs

    def _tables(self, m: Module):
        m.submodules.tables = tables = Tables(self._coded, self.code.width)
        read = Signal(self.code.width, reset_less=True)
        m.d.comb += [tables.address.eq(self.address), Value.cast(self.data).eq(read)]
        with m.If(self.enable):
            m.d.sync += read.eq(tables.data)

    def _block_memory(self, m: Module, write: data.View | None):
        init: Any = [] if self.storage is Storage.SPRAM else self.words
        if self.code.groups and init:
            init = self._coded
        # Kept as an attribute so that simulations can look inside.
        m.submodules.memory = self.memory = words = memory.Memory(
            shape=self._stored, depth=self.depth, init=init)
        read = words.read_port()
        m.d.comb += [
            read.addr.eq(self.address), read.en.eq(self.enable), self.data.eq(read.data),
        ]
        if write is not None:
            port = words.write_port()
            m.d.comb += [
                port.addr.eq(write.address), port.en.eq(write.enable),
                Value.cast(port.data).eq(write.word),
            ]

    def _large_memory(self, m: Module, write: data.View):
        width, banks = self.code.width, -(-self.depth // SPRAM_DEPTH)
        address = Signal(14 + 2)
        bank, shown = address[14:], Signal(2)
        m.d.comb += address.eq(Mux(write.enable, write.address, self.address))
        with m.If(self.enable & ~write.enable):
            m.d.sync += shown.eq(bank)
        outputs = []
        for number in range(banks):
            columns = []
            for column in range(0, width, SPRAM_WIDTH):
                read = Signal(SPRAM_WIDTH, name=f"read_{number}_{column}")
                m.submodules[f"spram_{number}_{column // SPRAM_WIDTH}"] = Instance(
                    "SB_SPRAM256KA",
                    i_CLOCK=ClockSignal(), i_ADDRESS=address[:14],
                    i_DATAIN=write.word[column : column + SPRAM_WIDTH],
                    i_WREN=write.enable, i_MASKWREN=C(0b1111, 4),
                    i_CHIPSELECT=(self.enable | write.enable) & (bank == number),
                    i_STANDBY=C(0, 1), i_SLEEP=C(0, 1), i_POWEROFF=C(1, 1),
                    o_DATAOUT=read,
                )
                columns.append(read)
            outputs.append(Cat(columns)[:width])
        m.d.comb += Value.cast(self.data).eq(Array(outputs)[shown] if banks > 1 else outputs[0])
