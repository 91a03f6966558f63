"""The counters of a network in hardware: what :mod:`spikewright.gen.counters` defines."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..counters import COUNTERS

COUNTER_BITS = 32


class LayerEvents(wiring.Signature):
    """What a layer tells its counters each cycle; members are named after the counters.

    Parameters
    ----------
    lanes, queue : int
        Most neurons updated per cycle, and the depth of the input queue.
    """

    def __init__(self, lanes: int, queue: int):
        widths = {"synops": range(lanes + 1), "saturations": range(lanes + 1),
                  "queue_peak": range(queue + 1)}
        super().__init__({
            counter.name: Out(widths.get(counter.name, 1)) for counter in COUNTERS
        })


class Counters(wiring.Component):
    """32-bit counters of every layer, and the cycles of all inferences, as one small memory map.

    Word ``layer · len(COUNTERS) + n`` is counter n of the layer; the word after the last layer is
    the number of cycles in which an inference was under way. A read takes one cycle. Counters wrap
    at 2³² (43 s of cycles at 100 MHz) and are cleared together.

    Parameters
    ----------
    layers : sequence of LayerEvents

    Members
    -------
    layer_N : In(LayerEvents)
    active : In
        An inference is under way.
    clear : In
    address : In
    data : Out, 32 bits
    """

    def __init__(self, layers: Sequence[LayerEvents]):
        self.layers = list(layers)
        self.words = len(COUNTERS) * len(self.layers) + 1
        super().__init__({
            **{f"layer_{n}": In(events) for n, events in enumerate(self.layers)},
            "active": In(1), "clear": In(1),
            "address": In(range(self.words)), "data": Out(COUNTER_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        words = []
        for n in range(len(self.layers)):
            events = getattr(self, f"layer_{n}")
            for counter in COUNTERS:
                amount = getattr(events, counter.name)
                word = Signal(COUNTER_BITS, name=f"layer_{n}_{counter.name}")
                if counter.name == "queue_peak":
                    with m.If(amount > word):
                        m.d.sync += word.eq(amount)
                elif counter.name == "starved":
                    m.d.sync += word.eq(word + (amount & self.active))
                else:
                    m.d.sync += word.eq(word + amount)
                words.append(word)
        cycles = Signal(COUNTER_BITS)
        m.d.sync += cycles.eq(cycles + self.active)
        words.append(cycles)
        with m.If(self.clear):
            m.d.sync += [word.eq(0) for word in words]
        with m.Switch(self.address):
            for address, word in enumerate(words):
                with m.Case(address):
                    m.d.sync += self.data.eq(word)
        return m
