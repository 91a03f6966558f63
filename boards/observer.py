"""What the neurons of one layer did in one timestep, for a host that wants to know."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ..gen.plan import LayerPlan
from ..gen.rtl.array import SpikesSignature
from .protocol import MEMBRANE_BITS, LinkError

#: Bits of a word: a membrane above a spike.
WORD_BITS = 32


def observed_rows(plans: Sequence[LayerPlan]) -> int:
    """Rows that hold any layer's timestep: steps of the longest sweep."""
    return max(plan.steps for plan in plans)


def observed_units(plans: Sequence[LayerPlan]) -> int:
    """Words of a row: units of the widest layer, up to a power of two."""
    return 1 << (max(plan.units for plan in plans) - 1).bit_length()


class Observer(wiring.Component):
    """Keeps the spikes and membranes of a layer's sweep, of the timestep that was asked for; of
    several inferences, those of the last that had it.

    A row of the memory is a step of the sweep. Word n is unit ``n % units`` of row ``n // units``:
    the spike in bit 0, above it the membrane, signed. Rows and units that the layer does not have
    mean nothing.

    Throughput: a step per cycle. Latency: 1 cycle from ``read`` to ``valid``.

    Parameters
    ----------
    plans : sequence of LayerPlan

    Members
    -------
    layer_0, … : In(SpikesSignature)
        What each layer does.
    choose : In
        ``layer`` and ``timestep``, counted from 0, were asked for, and no inference is under way.
    layer, timestep : In
    seen : Out
        An inference since ``choose`` had that timestep.
    address, read, data, valid : In, In, Out, Out
        Words, as of :class:`~spikewright.gen.rtl.counters.Counters`.

    Raises
    ------
    LinkError
        If membranes are wider than a word says.
    """

    def __init__(self, plans: Sequence[LayerPlan]):
        self.plans = plans
        self.units = observed_units(plans)
        self.bits = 1 + max(plan.membrane_bits for plan in plans)
        if self.bits > 1 + MEMBRANE_BITS:
            raise LinkError(f"membranes of {self.bits - 1} bits; of at most {MEMBRANE_BITS} can be "
                            f"observed; build without --observe")
        super().__init__({
            **{f"layer_{n}": In(SpikesSignature(plan)) for n, plan in enumerate(plans)},
            "choose": In(1), "layer": In(8), "timestep": In(16), "seen": Out(1),
            "address": In(range(max(2, observed_rows(plans) * self.units))), "read": In(1),
            "data": Out(WORD_BITS), "valid": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = held = memory.Memory(
            shape=self.units * self.bits, depth=observed_rows(self.plans), init=[])
        write, read = held.write_port(), held.read_port()
        valid, end, last, now = Signal(), Signal(), Signal(), Signal(16)
        with m.Switch(self.layer):
            for n, plan in enumerate(self.plans):
                did = getattr(self, f"layer_{n}")
                words = (Cat(did.spikes[unit], _as(Value.cast(did.membranes[unit]), self.bits - 1))
                         for unit in range(plan.units))
                with m.Case(n):
                    m.d.comb += [
                        valid.eq(did.valid), end.eq(did.end), last.eq(did.last),
                        write.addr.eq(did.step), write.data.eq(Cat(*words)),
                    ]
        m.d.comb += write.en.eq(valid & (now == self.timestep))
        with m.If(valid & end):
            m.d.sync += now.eq(Mux(last, 0, now + 1))
        with m.If(self.choose):
            m.d.sync += self.seen.eq(0)
        with m.Elif(write.en & end):
            m.d.sync += self.seen.eq(1)

        shift = (self.units - 1).bit_length()
        word = read.data.word_select(self.address[:shift], self.bits) if shift else read.data
        m.d.comb += [
            read.addr.eq(self.address >> shift),
            self.data.eq(_as(word, WORD_BITS)),
        ]
        m.d.sync += self.valid.eq(self.read & ~self.valid)
        return m


def _as(value: Value, bits: int) -> Value:
    """``value``, signed, in so many bits."""
    return Cat(value, value[-1].replicate(bits - len(value)))
