"""A board in Amaranth's simulator, in this process: slow, and the same to a host."""

from collections import deque

from amaranth.sim import Simulator

from ..gen.folding import Folding
from ..gen.spec import NetworkSpec
from .link import Link
from .protocol import LinkError
from .top import SerialAccelerator

#: Cycles that count for a second, few enough that a host does not wait for hours on a board that is
#: silent.
SECOND = 20_000

_DIVISOR = 4


class SimulatedLink(Link):
    """``spec``, folded by ``folding``, with its two wires; time passes while bytes are awaited.

    Parameters are those of :class:`~.top.SerialAccelerator`.
    """

    def __init__(
        self, spec: NetworkSpec, folding: Folding, *, window: int = 512, buffer: int = 512,
        watchdog: bool = False, observe: bool = False,
    ):
        self._dut = SerialAccelerator(spec, folding, divisor=_DIVISOR, window=window,
                                      buffer=buffer, watchdog=watchdog, observe=observe)
        self._levels: deque[int] = deque()
        self._heard = bytearray()
        self._closed = False
        self._simulator = Simulator(self._dut)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._drive, background=True)
        self._simulator.add_testbench(self._listen, background=True)
        #: Clock cycles so far.
        self.cycles = 0

    def send(self, data: bytes) -> None:
        if self._closed:
            raise LinkError("this link was closed; connect again")
        for byte in data:
            for level in (0, *(byte >> bit & 1 for bit in range(8)), 1):
                self._levels.extend([level] * _DIVISOR)

    def receive(self, seconds: float) -> bytes:
        if self._closed:
            raise LinkError("this link was closed; connect again")
        end = self.cycles + len(self._levels) + seconds * SECOND
        while not self._heard and self.cycles < end:
            self._simulator.advance()
        heard = bytes(self._heard)
        self._heard.clear()
        return heard

    def now(self) -> float:
        return self.cycles / SECOND

    def close(self) -> None:
        self._closed = True

    async def _drive(self, ctx) -> None:
        while True:
            ctx.set(self._dut.rx, self._levels.popleft() if self._levels else 1)
            await ctx.tick()
            self.cycles += 1

    async def _listen(self, ctx) -> None:
        while True:
            while ctx.get(self._dut.tx):
                await ctx.tick()
            await ctx.tick().repeat(_DIVISOR // 2)
            byte = 0
            for bit in range(8):
                await ctx.tick().repeat(_DIVISOR)
                byte |= ctx.get(self._dut.tx) << bit
            await ctx.tick().repeat(_DIVISOR)
            self._heard.append(byte)
