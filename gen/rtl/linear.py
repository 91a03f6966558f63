"""All-to-all synapses: weights, and the sums that events add them to."""

from itertools import pairwise

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..linear import LinearPlan
from .activity import SynapseActivity
from .block_memory import BlockMemory
from .loading import LoadSignature, chained
from .protection import WeightDecoder
from .streams import address_bits, event_stream
from .sums import SumsSignature
from .weights import WeightStore


class LinearSynapses(wiring.Component):
    """Adds a column of weights to the sums for every event.

    Throughput: a beat of up to ``ways`` events takes ``rows`` cycles, one that is a bare tick takes
    one; there is no bubble between beats, nor between timesteps.

    Sums of a single row are registers. A finished timestep's move aside at once, and the next
    timestep's tick waits until they are released. Sums of several rows lie in block memory in two
    halves: while one is swept, events add to the other. The first step of each row takes one cycle
    from the events, and a third timestep waits until the first is released.

    Parameters
    ----------
    plan : LinearPlan

    Members
    -------
    i : In(stream of EventLayout)
    sums : Out(SumsSignature)
        Steps may begin ``plan.available_cycles`` after a tick's last row was issued.
    activity : Out(SynapseActivity)
    load, full : In, Out
        See :class:`~.weights.WeightStore`; the ways' weights follow one another.
    """

    def __init__(self, plan: LinearPlan):
        self.plan = plan
        super().__init__({
            "i": In(event_stream(address_bits(plan.bank_inputs), plan.ways, plan.value_bits)),
            "sums": Out(SumsSignature(plan.units, plan.sum_bits)),
            "activity": Out(SynapseActivity(
                plan.most_synops, plan.ways if plan.protected else 0)),
            "load": In(LoadSignature()), "full": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        self._sequence(m)
        increments = self._increments(m)
        if plan.in_registers:
            self._registers(m, increments)
        else:
            self._memory(m, increments)
        return m

    def _sequence(self, m: Module):
        """Takes beats apart into rows; a beat is accepted as the last row of another is issued."""
        plan = self.plan
        self._op = op = Signal(self.i.payload.shape())
        self._row = row = Signal(range(plan.rows) if plan.rows > 1 else 1)
        self._addresses = [
            Signal(range(plan.bank_words + 1), name=f"address_{way}")
            for way in range(plan.ways)
        ]
        #: A row of sums is taken by the sweep in this cycle.
        self._take = Signal()
        #: The operation has to wait for the sweep.
        self._blocked = Signal()
        self._issue = issue = Signal()
        #: A timestep's last operation is issued, or its sums are given free.
        self._finish, self._release = Signal(), Signal()
        valid, last_row = Signal(), Signal()
        self._any_event = any_event = Signal(name="any_event")
        slots = [op.slots[way] for way in range(plan.ways)]
        m.d.comb += [
            any_event.eq(Cat(slot.event for slot in slots).any()),
            last_row.eq((row == plan.rows - 1) | ~any_event),
            issue.eq(valid & ~self._blocked & ~self._take),
            self._finish.eq(issue & last_row & op.tick),
            self.i.ready.eq(~valid | (issue & last_row)),
            self.activity.busy.eq(issue),
            self.activity.taking.eq(self._take),
            self.activity.stalled.eq(valid & self._blocked & ~self._take),
            self.activity.starved.eq(~valid & ~self._take),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [op.eq(self.i.payload), valid.eq(1), row.eq(0)]
            for way, address in enumerate(self._addresses):
                m.d.sync += address.eq(self.i.payload.slots[way].address)
        with m.Elif(issue):
            m.d.sync += [row.eq(row + 1), *(address.eq(address + plan.bank_inputs)
                                            for address in self._addresses)]
            with m.If(last_row):
                m.d.sync += valid.eq(0)

        self._count(m, last_row_of_sums=row == plan.rows - 1)

    def _count(self, m: Module, last_row_of_sums: Value):
        """Synaptic operations; counting takes its time, which the adders do not have."""
        plan = self.plan
        events, partial = Signal(range(plan.ways + 1)), Signal()
        arrived = sum((self._connected(m, way) for way in range(plan.ways)), C(0))
        m.d.sync += [events.eq(Mux(self._issue, arrived, 0)), partial.eq(last_row_of_sums)]
        counted = Signal.like(self.activity.synops)
        m.d.sync += counted.eq(events * Mux(partial, plan.last_neurons, plan.lanes))
        m.d.comb += self.activity.synops.eq(counted)

    def _connected(self, m: Module, way: int) -> Value:
        """An event that reaches neurons."""
        slot, unconnected = self._op.slots[way], self.plan.unconnected(way)
        if not unconnected:
            return slot.event
        reached = Signal(name=f"connected_{way}", init=1)
        with m.Switch(slot.address), m.Case(*unconnected):
            m.d.comb += reached.eq(0)
        return slot.event & reached

    def _increments(self, m: Module) -> list[Value]:
        """What each lane adds, ``add_stage`` cycles after the issue; 0 if nothing was."""
        plan = self.plan
        shape = data.ArrayLayout(signed(plan.weight_bits), plan.lanes)
        ways, mended, rejected = [], [], []
        checked = plan.protected
        #: Kept as an attribute so that simulations can look inside.
        self.stores: list[WeightStore] = []
        for way in range(plan.ways):
            slot = self._op.slots[way]
            m.submodules[f"weights_{way}"] = store = WeightStore(
                plan.weight_words(way), plan.lanes, plan.weight_bits, plan.storage,
                plan.code.protect)
            self.stores.append(store)
            m.d.comb += [
                store.address.eq(self._addresses[way]), store.enable.eq(1),
            ]
            # A plain register behind a block memory can become the memory's own.
            fetched = Signal(plan.code.width if checked else shape, name=f"fetched_{way}",
                             reset_less=True)
            gated = Signal(shape, name=f"gated_{way}")
            m.d.sync += fetched.eq(store.data)
            weights = fetched
            if checked:
                m.submodules[f"decoder_{way}"] = decoder = WeightDecoder(plan.code)
                m.d.comb += decoder.i.eq(fetched)
                weights = data.View(shape, decoder.o)
            m.d.sync += gated.eq(weights)
            # A register's synchronous reset costs nothing; a gate would cost a LUT a bit.
            event = self._delayed(m, self._issue & slot.event, 2 + checked, f"event_{way}")
            if checked:
                mended.append(decoder.mended & event)
                rejected.append(decoder.rejected & event)
            with m.If(~event):
                m.d.sync += gated.eq(0)
            terms = [gated[lane] for lane in range(plan.lanes)]
            if plan.value_bits:
                value = self._delayed(m, slot.value, 3 + checked, f"value_{way}")
                terms = [_registered(m, term * value, f"product_{way}_{lane}")
                         for lane, term in enumerate(terms)]
            ways.append(terms)
        m.d.comb += self.full.eq(chained(m, self.load, self.stores))
        if checked:
            m.d.sync += [self.activity.mended.eq(sum(mended, C(0))),
                         self.activity.rejected.eq(sum(rejected, C(0)))]
        if plan.ways == 1:
            return ways[0]
        return [_registered(m, _tree([terms[lane] for terms in ways]), f"increment_{lane}")
                for lane in range(plan.lanes)]

    def _delayed(self, m: Module, signal: Value, cycles: int, name: str) -> Value:
        for n in range(cycles):
            later = Signal.like(signal, name=f"{name}_{n + 1}")
            m.d.sync += later.eq(signal)
            signal = later
        return signal

    def _registers(self, m: Module, increments: list[Value]):
        plan, sums = self.plan, self.sums
        valid = self._delayed(m, self._issue, plan.add_stage, "valid")
        ticking = self._delayed(m, self._finish, plan.add_stage - 1, "ticking")
        shifting = self._delayed(m, sums.step, plan.latency - 1, "shifting")
        tick = self._delayed(m, ticking, 1, "tick")
        # All lanes wait for this one, so it comes straight from a register.
        moves = Signal()
        m.d.sync += moves.eq(ticking | shifting)
        shape = data.ArrayLayout(signed(plan.sum_bits), plan.lanes)
        snapshot = Signal(shape, reset_less=True)
        total = Signal(shape)
        accumulators = [Signal(signed(plan.sum_bits), name=f"sum_{lane}")
                        for lane in range(plan.lanes)]
        for lane, accumulator in enumerate(accumulators):
            m.d.comb += total[lane].eq(accumulator + increments[lane])
            with m.If(valid):
                m.d.sync += accumulator.eq(total[lane])
            # The next timestep begins from nothing in the very next cycle.
            with m.If(tick):
                m.d.sync += accumulator.eq(0)
        rotated = snapshot.as_value().rotate_right(plan.units * plan.sum_bits)
        with m.If(moves):
            m.d.sync += snapshot.as_value().eq(Mux(tick, total.as_value(), rotated))
        m.d.comb += [sums.sums[unit].eq(snapshot[unit]) for unit in range(plan.units)]

        waiting, last = Signal(), Signal()
        step = Signal(range(plan.steps) if plan.steps > 1 else 1)
        offered = self._delayed(m, self._finish, plan.available_cycles - 1, "offered")
        with m.If(self._finish):
            m.d.sync += [waiting.eq(1), last.eq(self._op.last)]
        with m.Elif(self._release):
            m.d.sync += waiting.eq(0)
        with m.If(offered):
            m.d.sync += sums.available.eq(1)
        with m.Elif(self._release):
            m.d.sync += sums.available.eq(0)
        with m.If(sums.step):
            m.d.sync += step.eq(Mux(step == plan.steps - 1, 0, step + 1))
        m.d.comb += [
            self._release.eq(sums.step & (step == plan.steps - 1) & ~sums.keep),
            self._blocked.eq(self._op.tick & waiting),
            sums.last.eq(last),
        ]

    def _memory(self, m: Module, increments: list[Value]):
        plan, sums = self.plan, self.sums
        shape = data.ArrayLayout(signed(plan.sum_bits), plan.lanes)
        half = 1 << address_bits(plan.rows)
        # A row is written before its next operation reads it, at least one row later.
        m.submodules.sums_memory = store = BlockMemory(shape, 2 * half)

        # Which half events add to, which one is swept, and how many are finished.
        adding, sweeping, finished = Signal(), Signal(), Signal(2)
        lasts = Signal(2)
        m.d.sync += finished.eq(finished + self._finish - self._release)
        with m.If(self._finish):
            m.d.sync += [adding.eq(~adding), lasts.bit_select(adding, 1).eq(self._op.last)]
        with m.If(self._release):
            m.d.sync += sweeping.eq(~sweeping)
        take_row, group = Signal.like(self._row), Signal(range(max(2, plan.groups)))
        end = (take_row == plan.rows - 1) & (
            group == (plan.steps - 1) % plan.groups)
        with m.If(sums.step):
            m.d.sync += group.eq(group + 1)
            with m.If((group == plan.groups - 1) | end):
                m.d.sync += [group.eq(0), take_row.eq(Mux(end, 0, take_row + 1))]
        m.d.comb += [
            self._take.eq(sums.step & (group == 0)),
            self._release.eq(sums.step & end & ~sums.keep),
            self._blocked.eq(finished == 2),
            sums.available.eq(finished != 0),
            sums.last.eq(lasts.bit_select(sweeping, 1)),
        ]

        op = Signal(data.StructLayout({"event": 1, "take": 1, "keep": 1,
                                       "address": address_bits(2 * half)}))
        m.d.comb += [
            # A bare tick writes nothing: the sweep may read that word in the same cycle.
            op.event.eq(self._issue & self._any_event),
            op.take.eq(self._take), op.keep.eq(sums.keep),
            op.address.eq(Mux(self._take, Cat(take_row, sweeping), Cat(self._row, adding))),
        ]
        add = plan.add_stage
        before = [op, *(Signal(op.shape(), name=f"op_{n}") for n in range(1, add + 1))]
        for earlier, later in pairwise(before):
            m.d.sync += later.eq(earlier)
        now = before[add]
        m.d.comb += store.write_address.eq(now.address)
        taken = Signal(shape, reset_less=True)
        if plan.read_registered:
            m.d.comb += store.read_address.eq(before[add - 2].address)
            stored = Signal(shape)
            m.d.sync += stored.eq(store.read_data)
            # What is taken leaves zeros behind.
            with m.If(before[add - 1].take):
                m.d.sync += stored.eq(0)
            load = before[add - 1].take
            m.d.comb += store.write_data.eq(_sums(shape, stored, increments))
        else:
            m.d.comb += store.read_address.eq(before[add - 1].address)
            load = now.take
            added = _sums(shape, store.read_data, increments)
            m.d.comb += store.write_data.as_value().eq(Mux(now.take, 0, added.as_value()))
        m.d.comb += store.write.eq(now.event | (now.take & ~now.keep))
        shift = self._delayed(m, sums.step & (group != 0), plan.latency - 1, "shift")
        with m.If(load):
            m.d.sync += taken.eq(store.read_data)
        if plan.groups > 1:
            with m.Elif(shift):
                m.d.sync += taken.as_value().eq(
                    taken.as_value() >> (plan.units * plan.sum_bits))
        m.d.comb += [sums.sums[unit].eq(taken[unit]) for unit in range(plan.units)]


def _registered(m: Module, value: Value, name: str) -> Signal:
    register = Signal(value.shape(), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


def _tree(terms: list[Value]) -> Value:
    """The sum of ``terms`` in as few levels of adders as there can be."""
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] \
            + terms[len(terms) & ~1 :]
    return terms[0]


def _sums(shape: data.ArrayLayout, stored: data.View, increments: list[Value]) -> data.View:
    return data.View(shape, Cat((stored[lane] + increment)[: shape.elem_shape.width]
                                for lane, increment in enumerate(increments)))
