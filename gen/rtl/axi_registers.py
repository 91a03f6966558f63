"""The registers of :mod:`~spikewright.gen.axi_map` in hardware."""

from collections.abc import Mapping

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..axi_map import COUNTERS, Control, Fault, Register, Status
from .axi_streams import AXIL_ADDRESS, AXIL_DATA
from .counters import COUNTER_BITS
from .loading import LoadSignature


class AxiRegisters(wiring.Component):
    """What :class:`~.axi_lite.AxiLite` reads and writes.

    A register that does not exist, and a write to one that is only read, is an error; a read of one
    that is only written gives 0. Latency: 1 cycle; of a counter, what
    :class:`~.counters.Counters` takes; of LOAD, 4 cycles.

    Parameters
    ----------
    constants : mapping
        Byte address → what is always read there.
    counters : int
        Words of them.

    Members
    -------
    write, write_address, write_data, write_strobe, write_done, write_error, read, read_address, \
read_done, read_data, read_error
        As of :class:`~.axi_lite.AxiLite`, from the other side.
    status : In(Status)
    faults : In(Fault)
        Faults of this cycle.
    clear : Out
        Zeroes the counters.
    load : Out(LoadSignature)
    counter_address, counter_read, counter_data, counter_valid : Out, Out, In, In
        As of :class:`~.counters.Counters`.
    """

    def __init__(self, constants: Mapping[int, int], counters: int):
        self.constants = dict(constants)
        self.counters = counters
        super().__init__({
            "write": In(1), "write_address": In(AXIL_ADDRESS - 2),
            "write_data": In(AXIL_DATA), "write_strobe": In(AXIL_DATA // 8),
            "write_done": Out(1), "write_error": Out(1),
            "read": In(1), "read_address": In(AXIL_ADDRESS - 2),
            "read_done": Out(1), "read_data": Out(AXIL_DATA), "read_error": Out(1),
            "status": In(len(Status)), "faults": In(len(Fault)),
            "clear": Out(1), "load": Out(LoadSignature()),
            "counter_address": Out(range(max(2, counters))), "counter_read": Out(1),
            "counter_data": In(COUNTER_BITS), "counter_valid": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        faults = Signal(len(Fault))
        cleared = Signal.like(faults)
        refused = Signal()
        m.d.sync += faults.eq(faults & ~cleared | self.faults | Mux(refused, Fault.LOAD, 0))
        self._read(m, faults)
        self._write(m, cleared, refused)
        return m

    def _read(self, m: Module, faults: Signal):
        number = self.read_address - COUNTERS // 4
        counter = (self.read_address >= COUNTERS // 4) & (number < self.counters)
        m.d.comb += self.counter_address.eq(number)
        with m.If(counter):
            m.d.comb += [self.counter_read.eq(self.read), self.read_done.eq(self.counter_valid),
                         self.read_data.eq(self.counter_data)]
        with m.Else(), m.Switch(self.read_address):
            m.d.comb += self.read_done.eq(1)
            for address, value in self.constants.items():
                with m.Case(address // 4):
                    m.d.comb += self.read_data.eq(value)
            with m.Case(Register.STATUS // 4):
                m.d.comb += self.read_data.eq(self.status)
            with m.Case(Register.FAULTS // 4):
                m.d.comb += self.read_data.eq(faults)
            with m.Case(Register.CONTROL // 4, Register.LOAD // 4):
                pass
            with m.Default():
                m.d.comb += self.read_error.eq(1)

    def _write(self, m: Module, cleared: Signal, refused: Signal):
        busy = self.status[Status.BUSY.bit_length() - 1]
        place = Signal(2)
        m.d.comb += [self.write_done.eq(1),
                     self.load.byte.eq(self.write_data.word_select(place, 8))]
        with m.If(self.write), m.Switch(self.write_address):
            with m.Case(Register.FAULTS // 4):
                m.d.comb += cleared.eq(Mux(self.write_strobe[0], self.write_data, 0))
            with m.Case(Register.CONTROL // 4), m.If(self.write_strobe[0]):
                begin = (self.write_data & Control.BEGIN_LOAD) != 0
                m.d.comb += [self.clear.eq((self.write_data & Control.CLEAR) != 0),
                             self.load.begin.eq(begin & ~busy), refused.eq(begin & busy)]
            with m.Case(Register.LOAD // 4):
                m.d.comb += [
                    self.load.valid.eq(self.write_strobe.bit_select(place, 1) & ~busy),
                    refused.eq(busy), self.write_done.eq(place == 3),
                ]
                m.d.sync += place.eq(place + 1)
            with m.Default():
                m.d.comb += self.write_error.eq(1)
