"""The whole accelerator as one stream component."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..coding import ReadoutKind
from ..counters import NETWORK_COUNTERS, layer_counters
from ..folding import Folding
from ..plan import layer_plans
from ..silence import longest_silence
from ..spec import NetworkSpec
from .counters import COUNTER_BITS, Counters
from .exit import EarlyExit
from .layer import SpikingLayer
from .loading import LoadSignature, chained
from .pooling import SpikePooling
from .readout import ScoreReadout
from .router import SpikeRouter
from .streams import result_stream
from .watchdog import Watchdog


class Network(wiring.Component):
    """Events in, class scores out; every layer works on its own timestep at the same time.

    Throughput is that of the busiest layer. When which layer begins and ends what is computed by
    :mod:`spikewright.gen.cycles`, to the cycle.

    An inference is a sequence of beats whose ``last`` tick ends it; the next one may follow at
    once. It must have at most ``spec.timesteps`` ticks; with an input that is held it has one,
    whatever the timesteps. With early exit it is over, and its result offered, when the timesteps
    that were under way at the decision are; what is left of its beats is taken all the same, and
    the next one waits until the result has been taken. To abandon an inference, send its last tick
    and drop the result.

    Parameters
    ----------
    spec : NetworkSpec
    folding : Folding
    counters : bool
        Build the performance counters.
    watchdog : bool
        Build a :class:`~.watchdog.Watchdog` over all layers.

    Members
    -------
    i : In(stream of EventLayout)
        Input events and ticks; :mod:`spikewright.gen.beats` makes them of samples.
    o : Out(stream of ResultLayout)
        One beat per class and inference.
    load : In(LoadSignature)
        What can be loaded, one layer's after the other's, as :func:`~.image.network_image` makes
        it; not during an inference.
    full : Out
        All bytes have come; others are not taken.
    settling : Out
        Not all that has come is in its place.
    loaded : Out
        All of it is: an inference may begin.
    clear : In
        Zeroes all counters.
    counter_address, counter_read, counter_data, counter_valid : In, In, Out, Out
        See :class:`~.counters.Counters`; absent data reads as 0 at once.
    wedged : Out
        Nothing has moved for longer than anything can take, though there is work to do and results
        are taken: only a reset helps. Present only with ``watchdog``.

    Raises
    ------
    FoldingError
        If the folding does not belong to the network.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding, *, counters: bool = True,
                 watchdog: bool = False):
        self.spec = spec
        self.plans = layer_plans(spec, folding)
        #: Kept as attributes so that simulations can look inside.
        self.layers = [SpikingLayer(plan) for plan in self.plans]
        self.readout = ScoreReadout(self.plans[-1], spec)
        #: Of each layer, in the order of the counter port.
        self.layer_counters = layer_counters(any(plan.synapses.protected for plan in self.plans))
        self.counters = Counters([layer.events.signature for layer in self.layers],
                                 self.layer_counters) if counters else None
        self.counter_count = self.counters.words if self.counters is not None else 1
        self.watchdog = Watchdog(longest_silence(self.plans)) if watchdog else None
        #: More inferences than can have begun and not be answered.
        self.most_flying = 8 * len(self.layers) + 7
        super().__init__({
            "i": In(self.layers[0].i.signature.flip()),
            "o": Out(result_stream(spec.classes, self.readout.bits)),
            "load": In(LoadSignature()), "full": Out(1), "settling": Out(1), "loaded": Out(1),
            "clear": In(1),
            "counter_address": In(range(max(2, self.counter_count))), "counter_read": In(1),
            "counter_data": Out(COUNTER_BITS), "counter_valid": Out(1),
            **({"wedged": Out(1)} if watchdog else {}),
        })

    def elaborate(self, platform):
        m = Module()
        self._load(m)
        beats = entering = self._entrance(m)
        #: Kept as an attribute so that simulations can look inside.
        self.routers: list[SpikeRouter] = []
        for n, layer in enumerate(self.layers):
            plan = layer.plan
            m.submodules[f"layer_{plan.layer.name}"] = layer
            wiring.connect(m, beats, layer.i)
            if layer is self.layers[-1]:
                break
            m.submodules[f"router_{plan.layer.name}"] = router = SpikeRouter(
                plan.rows, plan.ways_out, plan.spatial_out)
            self.routers.append(router)
            self._pool(m, layer, router)
            m.d.comb += [router.begin.eq(layer.begin), layer.room.eq(router.room)]
            beats = router.o
            if self.counters is not None:
                moved = beats.valid & beats.ready
                events = sum((slot.event for slot in beats.payload.slots), C(0))
                m.d.comb += [
                    self._counted(n).events_out.eq(Mux(moved, events, 0)),
                    self._counted(n + 1).queue_peak.eq(router.waiting),
                ]
        last = self.layers[-1]
        m.submodules.readout = readout = self.readout
        wiring.connect(m, last.o, readout.i)
        wiring.connect(m, readout.o, wiring.flipped(self.o))
        m.d.comb += [
            readout.begin.eq(last.begin), readout.begin_last.eq(last.begin_last),
            last.room.eq(readout.room),
        ]
        if self.counters is not None:
            self._count(m, self.counters, entering)
        else:
            m.d.comb += self.counter_valid.eq(self.counter_read)
        if self.watchdog is not None:
            self._watch(m, self.watchdog, entering)
        return m

    def _watch(self, m: Module, watchdog: Watchdog, entering):
        """Work is a beat that is offered, or an inference that is all there and not answered."""
        m.submodules.watchdog = watchdog
        owed = Signal(range(self.most_flying + 1))
        enters = entering.valid & entering.ready & entering.payload.tick & entering.payload.last
        m.d.sync += owed.eq(owed + enters - self._ends)
        answers = self.o.valid & self.o.ready
        m.d.comb += [
            watchdog.waiting.eq((self.i.valid | (owed != 0)) & ~(self.o.valid & ~self.o.ready)),
            watchdog.progress.eq(Cat(
                self.i.valid & self.i.ready, answers,
                *(layer.i.valid & layer.i.ready for layer in self.layers),
                *(layer.begin for layer in self.layers)).any()),
            self.wedged.eq(watchdog.wedged),
        ]

    def _load(self, m: Module):
        """One layer's contents after the other's."""
        m.d.comb += [
            self.full.eq(chained(m, self.load, self.layers)),
            self.settling.eq(Cat(layer.settling for layer in self.layers).any()),
            self.loaded.eq(self.full & ~self.settling),
        ]

    def _entrance(self, m: Module):
        """The stream of beats that are processed."""
        if not self.spec.readout.early_exit:
            return wiring.flipped(self.i)
        m.submodules.exit = exit = EarlyExit(self.i.payload.shape())
        wiring.connect(m, wiring.flipped(self.i), exit.i)
        m.d.comb += [
            exit.decided.eq(self.readout.decided), exit.taken.eq(self._ends),
            self.layers[0].cut.eq(self.readout.decided),
        ]
        return exit.o

    @property
    def _ends(self) -> Value:
        """The last beat of a result is taken."""
        return self.o.valid & self.o.ready & self.o.payload.last

    @staticmethod
    def _pool(m: Module, layer: SpikingLayer, router: SpikeRouter):
        """Rows of spikes from ``layer`` to ``router``, through a max pooling if there is one."""
        spikes = layer.o
        if layer.plan.pooling is None:
            m.d.comb += [router.valid.eq(spikes.valid), router.spikes.eq(spikes.spikes),
                         router.end.eq(spikes.end), router.last.eq(spikes.last)]
            return
        m.submodules[f"pooling_{layer.plan.layer.name}"] = pooling = SpikePooling(
            layer.plan.pooling)
        m.d.comb += [
            pooling.i_valid.eq(spikes.valid), pooling.i_spikes.eq(spikes.spikes),
            pooling.i_last.eq(spikes.last),
            router.valid.eq(pooling.o_valid), router.spikes.eq(pooling.o_spikes),
            router.end.eq(pooling.o_tick), router.last.eq(pooling.o_last),
        ]

    def _counted(self, layer: int):
        return getattr(self.counters, f"layer_{layer}")

    def _count(self, m: Module, counters: Counters, entering):
        m.submodules.counters = counters
        for n, layer in enumerate(self.layers):
            for name in layer.events.signature.members:
                if name not in ("events_out", "queue_peak"):
                    m.d.comb += getattr(self._counted(n), name).eq(getattr(layer.events, name))
        spikes = self.layers[-1].o
        fired = Mux(spikes.valid, spikes.spikes, 0)
        m.d.comb += self._counted(len(self.layers) - 1).events_out.eq(
            sum((fired[unit] for unit in range(len(fired))), C(0)))

        # An inference is under way from its first beat to its last result.
        beat = entering.valid & entering.ready
        begun, spiked = Signal(), Signal()
        begins = beat & ~begun
        ends = self._ends
        under_way = Signal(range(self.most_flying + 1))
        with m.If(beat):
            m.d.sync += begun.eq(~(entering.payload.tick & entering.payload.last))
        m.d.sync += under_way.eq(under_way + begins - ends)
        with m.If(ends):
            m.d.sync += spiked.eq(0)
        with m.Elif(fired.any()):
            m.d.sync += spiked.eq(1)
        by_spike = self.spec.readout.kind is ReadoutKind.FIRST_SPIKE
        decided = (spiked if by_spike else C(0)) | self.readout.answering
        undecided = {"first_spike": ~spiked, "decision": ~decided}
        m.d.comb += [
            counters.active.eq(begins | (under_way != 0)),
            counters.undecided.eq(Cat(undecided[counter.name]
                                      for counter in NETWORK_COUNTERS[1:])),
            counters.clear.eq(self.clear),
            counters.address.eq(self.counter_address), counters.read.eq(self.counter_read),
            self.counter_data.eq(counters.data), self.counter_valid.eq(counters.valid),
        ]
