"""The counters of a network in hardware: what :mod:`spikewright.gen.counters` defines."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ..counters import COUNTERS, NETWORK_COUNTERS, PROTECTION_COUNTERS, Counter

COUNTER_BITS = 32


class LayerEvents(wiring.Signature):
    """What a layer tells its counters each cycle; members are named after the counters.

    Parameters
    ----------
    most : int, by counter
        Most that the counter grows by in a cycle, or for a high-water mark, most it can be; 1 for
        counters that are not named. A layer without protection has no counters of it.
    """

    def __init__(self, **most: int):
        self.most = {counter.name: most.pop(counter.name, 1) for counter in COUNTERS}
        self.most |= {counter.name: most.pop(counter.name) for counter in PROTECTION_COUNTERS
                      if counter.name in most}
        if most:
            raise ValueError(f"{', '.join(most)}: no such counter; there are "
                             f"{', '.join(self.most)}")
        super().__init__({name: Out(range(limit + 1)) for name, limit in self.most.items()})


class Counters(wiring.Component):
    """32-bit counters of every layer, and the cycles of all inferences, as one small memory map.

    Word ``layer · len(counters) + n`` is counter n of the layer; the words after the last layer are
    the network's. Counters wrap at 2³² (43 s of cycles at 100 MHz) and are cleared together.

    Only the lowest bits of a counter are flip-flops. Its word in a block memory holds all bits as
    they were when its turn came, once in ``words`` cycles. In its next turn, low bits below those
    of the word tell that they wrapped in between, and the upper bits are counted up. They cannot
    wrap twice: there are p of them with 2^p > most · words. A high-water mark passes for low bits
    that never wrap.

    A read takes at most ``words + 1`` cycles, or as many after a clear: ``valid`` rises in the
    cycle after the first turn of the counter at ``address`` that found ``read`` high, and ``data``
    counts all cycles before that turn, so everything before the read. A clear takes effect at once:
    a read that begins after it finds what was counted after it.

    Parameters
    ----------
    layers : sequence of LayerEvents
    counters : sequence of Counter, optional
        Of each layer; one that a layer tells nothing of stays 0. COUNTERS if not given.

    Members
    -------
    layer_N : In(LayerEvents)
    active : In
        An inference is under way.
    undecided : In
        One flag per network counter after the first: it counts the cycle if ``active``.
    clear : In
    address, read : In
        Hold both until ``valid``.
    data : Out, 32 bits
        Only while ``valid``.
    valid : Out
        For one cycle.
    """

    def __init__(self, layers: Sequence[LayerEvents], counters: Sequence[Counter] | None = None):
        self.layers = list(layers)
        self.counters = COUNTERS if counters is None else tuple(counters)
        self.words = len(self.counters) * len(self.layers) + len(NETWORK_COUNTERS)
        super().__init__({
            **{f"layer_{n}": In(events) for n, events in enumerate(self.layers)},
            "active": In(1), "undecided": In(len(NETWORK_COUNTERS) - 1), "clear": In(1),
            "address": In(range(self.words)), "read": In(1),
            "data": Out(COUNTER_BITS), "valid": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lows = self._low_bits(m)

        turn = Signal(range(self.words))
        turn_before = Signal.like(turn)
        last_turn = turn == self.words - 1
        clearing = Signal(init=1)  # a reset leaves the memory as it was
        cleared = Signal()
        m.d.sync += [
            turn.eq(Mux(self.clear | last_turn, 0, turn + 1)), turn_before.eq(turn),
            clearing.eq(self.clear | (clearing & ~last_turn)), cleared.eq(clearing),
            self.valid.eq(self.read & (self.address == turn)),
        ]

        m.submodules.memory = words = memory.Memory(shape=COUNTER_BITS, depth=self.words, init=[])
        read, write = words.read_port(), words.write_port()
        # Adding the complement of the low bits carries if those of the word are above them.
        widest = max(map(len, lows))
        complement = Signal(widest, reset_less=True)
        owned = Signal(widest, reset_less=True)
        m.d.comb += read.addr.eq(turn)
        for bit in range(widest):
            m.d.sync += [
                complement[bit].eq(_select([~low[bit] if bit < len(low) else C(0, 1)
                                            for low in lows], turn)),
                owned[bit].eq(_select([C(bit < len(low), 1) for low in lows], turn)),
            ]
        carried = (read.data + complement)[:COUNTER_BITS]
        for bit in range(COUNTER_BITS):
            upper = carried[bit] & ~cleared
            m.d.comb += self.data[bit].eq(
                Mux(owned[bit], ~complement[bit], upper) if bit < widest else upper
            )
        m.d.comb += [write.addr.eq(turn_before), write.data.eq(self.data), write.en.eq(1)]
        return m

    @staticmethod
    def _low_width(most: int, words: int) -> int:
        return (most * words).bit_length()

    def _low_bits(self, m: Module) -> list[Signal]:
        lows = []

        def grows(name: str, amount: Value, most: int):
            low = Signal(self._low_width(most, self.words), name=name)
            m.d.sync += low.eq(low + amount)
            lows.append(low)

        for n, layer in enumerate(self.layers):
            events = getattr(self, f"layer_{n}")
            for counter in self.counters:
                if counter.name not in layer.most:
                    lows.append(Signal(name=f"layer_{n}_{counter.name}"))
                    continue
                name, most = f"layer_{n}_{counter.name}", layer.most[counter.name]
                amount = getattr(events, counter.name)
                if counter.peak:
                    peak = Signal(range(most + 1), name=name)
                    with m.If(amount > peak):
                        m.d.sync += peak.eq(amount)
                    lows.append(peak)
                else:
                    grows(name, Mux(self.active, amount, 0) if counter.active else amount, most)
        for counter, counts in zip(NETWORK_COUNTERS, [C(1), *self.undecided], strict=True):
            grows(counter.name, self.active & counts, 1)
        with m.If(self.clear):
            m.d.sync += [low.eq(0) for low in lows]
        return lows


def _select(bits: Sequence[Value], index: Value) -> Value:
    """``bits[index]`` as a tree of multiplexers, four to one, which fit look-up tables best."""
    for place in range(len(index)):
        bits = [Mux(index[place], *reversed(bits[n : n + 2])) if n + 1 < len(bits) else bits[n]
                for n in range(0, len(bits), 2)]
    return bits[0]
