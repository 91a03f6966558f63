"""The accelerator as a block that people who build with AXI know how to connect."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..axi_map import COUNTERS, END, IDENTITY, MAP_VERSION, Register
from ..coding import InputKind
from ..errors import FoldingError
from ..folding import Folding
from ..spec import NetworkSpec
from .axi_events import AxiEvents
from .axi_lite import AxiLite
from .axi_registers import AxiRegisters
from .axi_restart import AxiRestart
from .axi_results import AxiResults
from .image import network_image
from .network import Network
from .register_slice import RegisterSlice

#: Channels of AXI4-Lite.
CHANNELS = ("aw", "w", "b", "ar", "r")


class AxiNetwork(wiring.Component):
    """A network between AXI4-Stream on either side, with AXI4-Lite for everything else.

    ``s_axis`` takes packets as :class:`~.axi_events.AxiEvents` says, ``m_axis`` gives packets as
    :class:`~.axi_results.AxiResults` says, ``s_axil`` are the registers of
    :mod:`~spikewright.gen.axi_map`. All outputs are registers'. A reset may come at any time: what
    it leaves in the memories is swept before the first packet is taken. Packets wait while weights
    are missing.

    Throughput: one beat per cycle. Latency: that of :class:`~.network.Network` and 2 cycles on the
    way in, 1 on the way out. Its counters see what they see without AXI.

    Parameters
    ----------
    spec : NetworkSpec
    folding : Folding

    Members
    -------
    s_axis, m_axis : In, Out(stream of AxisLayout)
    aw, w, b, ar, r : In, In, Out, In, Out(stream)
        As of :class:`~.axi_lite.AxiLite`.

    Raises
    ------
    FoldingError
        If the folding does not belong to the network, or there are more counters than addresses.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding):
        self.spec = spec
        self.network = network = Network(spec, folding)
        self.image_bytes = len(network_image(network.plans))
        most = (END - COUNTERS) // 4
        if network.counter_count > most:
            raise FoldingError(
                f"network {spec.name} has {network.counter_count} counters, the AXI4-Lite port "
                f"addresses {most}; generate it without --axi"
            )
        source = network.plans[0].source
        held = spec.input.kind is InputKind.CURRENT
        self.events = AxiEvents(network.i.payload.shape(), source, 1 if held else spec.timesteps)
        self.results = AxiResults(network.o.payload.shape())
        self._lite = AxiLite()
        super().__init__({
            "s_axis": In(self.events.i.signature.flip()), "m_axis": Out(self.results.o.signature),
            **{name: self._lite.signature.members[name] for name in CHANNELS},
        })

    @property
    def constants(self) -> dict[int, int]:
        """Byte address → what a register always holds."""
        spec, network, digest = self.spec, self.network, self.spec.digest
        return {
            Register.IDENTITY: IDENTITY, Register.VERSION: MAP_VERSION,
            Register.LOAD_BYTES: self.image_bytes, Register.COUNTER_WORDS: network.counter_count,
            Register.INPUTS: spec.inputs, Register.CLASSES: spec.classes,
            Register.TIMESTEPS: spec.timesteps, Register.LAYERS: len(spec.layers),
            Register.WAYS: self.events.layout.ways,
            Register.WORD_BYTES: self.events.slot_bytes | self.results.word_bytes << 16,
            **{Register.DIGEST + 4 * n: int(digest[8 * n : 8 * n + 8], 16) for n in range(8)},
        }

    def elaborate(self, platform):
        m = Module()
        m.submodules.network = network = self.network
        m.submodules.events = events = self.events
        m.submodules.results = results = self.results
        m.submodules.entrance = entrance = RegisterSlice(events.i.payload.shape())
        m.submodules.checked = checked = RegisterSlice(events.o.payload.shape())
        m.submodules.restart = restart = AxiRestart(
            network.i.payload.shape(), network.o.payload.shape())
        m.submodules.exit = exit = RegisterSlice(results.o.payload.shape())
        connect(m, flipped(self.s_axis), entrance.i)
        connect(m, entrance.o, events.i)
        connect(m, events.o, checked.i)
        connect(m, checked.o, restart.i)
        connect(m, restart.o, network.i)
        connect(m, network.o, restart.i_results)
        connect(m, restart.o_results, results.i)
        connect(m, results.o, exit.i)
        connect(m, exit.o, flipped(self.m_axis))

        m.submodules.lite = lite = self._lite
        for name in CHANNELS:
            here, there = flipped(getattr(self, name)), getattr(lite, name)
            connect(m, here, there)
        m.submodules.registers = registers = AxiRegisters(self.constants, network.counter_count)
        for name in ("write", "write_address", "write_data", "write_strobe", "read",
                     "read_address"):
            m.d.comb += getattr(registers, name).eq(getattr(lite, name))
        for name in ("write_done", "write_error", "read_done", "read_data", "read_error"):
            m.d.comb += getattr(lite, name).eq(getattr(registers, name))
        connect(m, registers.load, network.load)

        # The counters begin when what the reset left behind is gone.
        done_before, under_way = Signal(), Signal(range(8 * len(network.layers) + 16))
        ends = self.m_axis.valid & self.m_axis.ready & self.m_axis.payload.last
        m.d.sync += [done_before.eq(restart.done),
                     under_way.eq(under_way + events.begins - ends)]
        m.d.comb += [
            events.enable.eq(network.loaded & ~registers.load.begin & restart.done & done_before),
            registers.status.eq(Cat(network.loaded, events.active | (under_way != 0),
                                    done_before)),
            registers.faults.eq(Cat(events.faults.address, events.faults.value,
                                    events.faults.timesteps)),
            network.clear.eq(registers.clear | (restart.done & ~done_before)),
            network.counter_address.eq(registers.counter_address),
            network.counter_read.eq(registers.counter_read),
            registers.counter_data.eq(network.counter_data),
            registers.counter_valid.eq(network.counter_valid),
        ]
        return m
