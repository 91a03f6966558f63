"""A board at an SPI controller, both in Amaranth's simulator, in this process."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from amaranth.sim import Simulator

from ..gen.folding import Folding
from ..gen.spec import NetworkSpec
from .link_simulated import SECOND
from .link_spi import SpiLink
from .protocol import LinkError
from .spi import MIN_RATIO, SpiPeripheral
from .top import LinkedAccelerator

#: Cycles between two looks at a board that had nothing to say.
_REST = 100


class SimulatedSpiLink(SpiLink):
    """``spec``, folded by ``folding``, at a controller whose SCK is as fast as it may be.

    Parameters are those of :class:`~.top.LinkedAccelerator`.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding, *, window: int = 512,
                 buffer: int = 512, **settings: Any):
        self._dut = LinkedAccelerator(spec, folding, SpiPeripheral(), window=window,
                                      buffer=buffer, **settings)
        #: cs_n, sck and copi of cycles to come, and whether CIPO is sampled before.
        self._levels: deque[tuple[int, int, int, bool]] = deque()
        self._bits: list[int] = []
        self._closed = False
        self._simulator = Simulator(self._dut)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._drive, background=True)
        #: Clock cycles so far.
        self.cycles = 0
        super().__init__(self._transfer_simulated)

    def _transfer_simulated(self, data: bytes) -> bytes:
        if self._closed:
            raise LinkError("this link was closed; connect again")
        self._bits.clear()
        self._levels.extend(levels(data))
        self._run()
        return bytes(sum(bit << 7 - n for n, bit in enumerate(self._bits[at : at + 8]))
                     for at in range(0, len(self._bits), 8))

    def rest(self) -> None:
        self._levels.extend([(1, 0, 0, False)] * _REST)
        self._run()

    def now(self) -> float:
        return self.cycles / SECOND

    def close(self) -> None:
        self._closed = True

    def _run(self) -> None:
        while self._levels:
            self._simulator.advance()

    async def _drive(self, ctx) -> None:
        while True:
            cs_n, sck, copi, samples = self._levels[0] if self._levels else (1, 0, 0, False)
            if samples:
                self._bits.append(ctx.get(self._dut.cipo))
            ctx.set(self._dut.cs_n, cs_n)
            ctx.set(self._dut.sck, sck)
            ctx.set(self._dut.copi, copi)
            await ctx.tick()
            self.cycles += 1
            if self._levels:
                self._levels.popleft()


def levels(data: bytes) -> Iterator[tuple[int, int, int, bool]]:
    """A transfer, cycle by cycle: cs_n, sck and copi, and whether CIPO is sampled before."""
    half = MIN_RATIO // 2
    yield from [(0, 0, 0, False)] * MIN_RATIO
    for byte in data:
        for shift in range(7, -1, -1):
            bit = byte >> shift & 1
            yield from [(0, 0, bit, False)] * half
            yield 0, 1, bit, True
            yield from [(0, 1, bit, False)] * (half - 1)
    yield from [(0, 0, 0, False)] * MIN_RATIO
    yield from [(1, 0, 0, False)] * MIN_RATIO
