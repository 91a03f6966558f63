"""Where a layer's thresholds, decays and biases come from: constants if they can be, else a ROM.

On a platform with :mod:`.tables`, whose contents can be exchanged in a finished bitstream, what
training changes is no constant: thresholds, biases, and a neuron's weight on itself. Where they can
be loaded (:attr:`~..plan.LayerPlan.loads_parameters`) none of them is, but for one that is 0
everywhere: what all neurons of the layer share is in a register, what each has for itself in a
memory.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..arithmetic import signed_bits
from ..plan import LayerPlan
from ..widths import TRAINED
from .block_memory import LEAST_ROWS
from .loading import LoadSignature, assembled, word_bytes
from .tables import Tables, in_tables

#: Widths of loaded parameters are multiples of this, or what the plan says.
_GRAIN = 4

#: A ROM of more bits is a memory everywhere.
_TABLE_BITS = 1024

_Column = npt.NDArray[np.int64]


def parameters(plan: LayerPlan) -> dict[str, _Column]:
    """Every parameter of a layer's neurons, (steps, units) in the order of the sweep; a unit
    without a neuron gets what another has."""
    return {
        name: np.broadcast_to(np.asarray(value, np.int64), (plan.layer.neurons,))[
            np.maximum(plan.order, 0)]
        for name, value in plan.layer.parameters.items()
    }


def parameter_layout(plan: LayerPlan, exchanged: bool = False) -> data.StructLayout:
    """A word of the ROM: the parameters that some unit has in more than one value, unit by unit;
    nothing if there are none. ``exchanged``: as wide as ``plan.widths`` says. If parameters are
    loaded, those that neurons do not share."""
    columns = parameters(plan)
    if plan.loads_parameters:
        return data.StructLayout({
            name: data.ArrayLayout(loaded_shape(plan, name), plan.units)
            for name, value in plan.layer.parameters.items() if not isinstance(value, int)
        })
    varying = {name: column for name, column in columns.items()
               if (column != column[0]).any()}
    return data.StructLayout({
        name: data.ArrayLayout(_shape(plan, name, column, exchanged), plan.units)
        for name, column in varying.items()
    })


def shared_layout(plan: LayerPlan) -> data.StructLayout:
    """The register of the parameters that all neurons of the layer share, where these are loaded;
    nothing elsewhere. Those that are 0, such as the bias of layers without, are none."""
    if not plan.loads_parameters:
        return data.StructLayout({})
    return data.StructLayout({
        name: loaded_shape(plan, name) for name, value in plan.layer.parameters.items()
        if isinstance(value, int) and (value or name not in ("bias", "recurrent"))
    })


def _shape(plan: LayerPlan, name: str, column: _Column, exchanged: bool) -> Shape:
    bits = signed_bits(int(column.min()), int(column.max()))
    return signed(max(bits, getattr(plan.widths, name)) if exchanged else bits)


def loaded_shape(plan: LayerPlan, name: str) -> Shape:
    """Of a parameter that is loaded: wide enough for most trainings of the network.

    A threshold has the membrane's bits, for no membrane is above one that needs more
    (:func:`loaded_value`). Decays hold every factor between −2 and 2. The others have at least one
    bit more than the network's own.
    """
    neuron, values = plan.layer.neuron, np.asarray(plan.layer.parameters[name])
    bits = signed_bits(int(values.min()), int(values.max()))
    match name:
        case "threshold":
            return signed(plan.membrane_bits)
        case "decay":
            return signed(max(bits, neuron.decay_fraction + 2))
        case "synapse_decay":
            return signed(neuron.synapse_decay_fraction + 2)
    spare = getattr(plan.widths, name)
    return signed(max(spare, -(-(bits + 1) // _GRAIN) * _GRAIN))


def loaded_value(plan: LayerPlan, name: str, value: npt.ArrayLike) -> _Column:
    """``value`` of ``name`` as hardware of ``plan`` holds it. A threshold above all membranes may
    be any such."""
    values = np.asarray(value, np.int64)
    if name == "threshold":
        return np.minimum(values, (1 << (plan.membrane_bits - 1)) - 1)
    return values


def parameter_image(built: LayerPlan, trained: LayerPlan) -> bytes:
    """What a slice ``built`` loads to have the parameters of ``trained``: what all neurons share,
    and then the words of the memory."""
    shared, layout = shared_layout(built), parameter_layout(built)
    columns = {name: loaded_value(built, name, column)
               for name, column in parameters(trained).items()}
    parts = []
    if shared.size:
        word = _packed(shared, {name: int(columns[name][0, 0]) for name in shared.members})
        parts.append(word.to_bytes(word_bytes(shared.size), "little"))
    if layout.size:
        parts += [word.to_bytes(word_bytes(layout.size), "little")
                  for word in _words(layout, columns)]
    return b"".join(parts)


def _packed(layout: data.StructLayout, values: dict[str, int]) -> int:
    return sum((values[name] & (1 << layout[name].width) - 1) << layout[name].offset
               for name in layout.members)


def _words(layout: data.StructLayout, columns: dict[str, _Column]) -> list[int]:
    """Each step's word."""
    words = [0] * len(next(iter(columns.values())))
    for name in layout.members:
        units, offset = columns[name].shape[1], layout[name].offset
        width = layout[name].width // units
        for step, row in enumerate((columns[name] & (1 << width) - 1).tolist()):
            words[step] |= sum(value << width * unit + offset for unit, value in enumerate(row))
    return words


class LayerParameters(wiring.Component):
    """Parameters of the neurons of one step, one cycle after its number.

    A parameter that all neurons of a unit share is a constant and costs nothing. The others stand
    in one ROM of ``steps`` words. With ``plan.loads_parameters`` the ROM is a memory that can be
    written, and what all neurons of the layer share is in a register beside it.

    Parameters
    ----------
    plan : LayerPlan
    exchanged : bool
        Those of :data:`TRAINED` are in tables of the chip instead of constants, and a small ROM is,
        too. What ``plan.widths`` has no bits for is 0 everywhere, and stays a constant.

    Members
    -------
    step : In
    load : In(LoadSignature)
        The bytes of :func:`parameter_image`. What is read meanwhile means nothing.
    full : Out
        As of :class:`~.weights.WeightStore`.
    written, written_step : Out
        The parameters of this step were loaded, a bias among them, and can be read from now on.
    settling : Out
        Not all that was loaded is written.
    """

    def __init__(self, plan: LayerPlan, exchanged: bool = False):
        self.plan, self.exchanged = plan, exchanged
        self._columns = {name: loaded_value(plan, name, column) if plan.loads_parameters else column
                         for name, column in parameters(plan).items()}
        self._shape = parameter_layout(plan, exchanged)
        self._stored = list(self._shape.members)
        self._word = Signal(self._shape)
        # Where contents are exchanged, its first value comes from tables.
        self._shared = Signal(shared_layout(plan), init={} if exchanged else {
            name: int(self._columns[name][0, 0]) for name in shared_layout(plan).members
        }, reset_less=True)
        #: What is in tables, and the same in every step: one value, or one for each unit.
        self._steady = {
            name: Signal(data.ArrayLayout(_shape(plan, name, column, True),
                                          1 if (column == column[0, 0]).all() else plan.units),
                         name=name)
            for name, column in self._columns.items()
            if exchanged and name in TRAINED and name not in self._stored
            and getattr(plan.widths, name) and not plan.loads_parameters
        }
        super().__init__({
            "step": In(range(plan.steps)), "load": In(LoadSignature()),
            "full": Out(1, init=1),  # pyright: ignore[reportCallIssue]
            "written": Out(1), "written_step": Out(range(plan.steps)), "settling": Out(1),
        })
        #: A bias is loaded: it is what membranes begin with.
        self._begins = "bias" in (*self._stored, *self._shared.shape().members)

    def constant(self, name: str, unit: int) -> int | None:
        """The value of ``name`` in ``unit`` if the hardware is made for it, else None."""
        if name in (*self._stored, *self._steady, *self._shared.shape().members):
            return None
        return int(self._columns[name][0, unit])

    def steady(self, name: str) -> bool:
        """Whether ``name`` is the same in every step."""
        return name not in self._stored

    def value(self, name: str, unit: int) -> Value:
        """``name`` of the neuron in ``unit`` of the step given one cycle ago, signed."""
        if name in self._stored:
            return self._word[name][unit]
        if name in self._shared.shape().members:
            return self._shared[name]
        if name in self._steady:
            values = self._steady[name]
            return values[min(unit, len(values) - 1)]
        constant = int(self._columns[name][0, unit])
        return C(constant, signed(signed_bits(constant, constant)))

    def elaborate(self, platform):
        m = Module()
        if self.plan.loads_parameters:
            self._loaded(m)
            return m
        m.d.comb += self.full.eq(1)
        if self._stored:
            words = self._words()
            if self.exchanged and (self._shape.size * len(words) <= _TABLE_BITS
                                   or in_tables(platform, self._shape.size, len(words))):
                self._tables(m, words)
            else:
                self._memory(m, words)
        for name, signal in self._steady.items():
            word = signal.shape().const(self._columns[name][0, : len(signal)].tolist())
            m.submodules[name] = tables = Tables([word.as_bits()], signal.shape().size)
            m.d.comb += signal.as_value().eq(tables.data)
        return m

    def _words(self) -> list[Any]:
        return [{name: self._columns[name][step].tolist() for name in self._stored}
                for step in range(self.plan.steps)]

    def _memory(self, m: Module, words: list[Any]):
        # Kept as an attribute so that simulations can look inside.
        m.submodules.rom = self.rom = memory.Memory(
            shape=self._shape, depth=self.plan.steps, init=words
        )
        port = self.rom.read_port()
        m.d.comb += [port.addr.eq(self.step), self._word.eq(port.data)]

    def _tables(self, m: Module, words: list[Any]):
        m.submodules.tables = tables = Tables(
            [self._shape.const(word).as_bits() for word in words], self._shape.size)
        m.d.comb += tables.address.eq(self.step)
        m.d.sync += self._word.as_value().eq(tables.data)

    def _loaded(self, m: Module):
        """The register first, then the memory."""
        writing = []
        taken: Value = C(1)
        for name, shape, make in (("shared", self._shared.shape(), self._register),
                                  ("stored", self._shape, self._written)):
            if not shape.size:
                continue
            load = LoadSignature().create(path=(name,))
            full = Signal(init=1, name=f"{name}_full")
            m.d.comb += [load.begin.eq(self.load.begin), load.byte.eq(self.load.byte),
                         load.valid.eq(self.load.valid & taken)]
            write = assembled(m, load, full, width=shape.size,
                              depth=1 if name == "shared" else self.plan.steps)
            make(m, write)
            writing.append(write.enable)
            taken = taken & full
        m.d.comb += [self.full.eq(taken), self.settling.eq(Cat(writing).any() | self.written)]

    def _register(self, m: Module, write: data.View):
        built = Signal(init=1, reset_less=True)
        with m.If(self.load.begin):
            m.d.sync += built.eq(0)
        with m.If(write.enable):
            m.d.sync += self._shared.as_value().eq(write.word)
        if self.exchanged:
            # What the bitstream holds can be exchanged; a register's first value cannot.
            layout = self._shared.shape()
            m.submodules.built = tables = Tables(
                [_packed(layout, {name: int(self._columns[name][0, 0])
                                  for name in layout.members})], layout.size)
            with m.If(built):
                m.d.sync += self._shared.as_value().eq(tables.data)
        if not self._stored and self._begins:
            step = Signal.like(self.written_step)
            with m.If(write.enable):
                m.d.sync += [self.written.eq(1), step.eq(0)]
            with m.Elif(self.written):
                m.d.sync += [step.eq(step + 1), self.written.eq(step != self.plan.steps - 1)]
            m.d.comb += self.written_step.eq(step)

    def _written(self, m: Module, write: data.View):
        # As many rows as a block memory has, where its first contents are found by its columns.
        depth = max(self.plan.steps, LEAST_ROWS) if self.exchanged else self.plan.steps
        # What is read while a word is written means nothing.
        attributes: dict[str, Any] = {"no_rw_check": 1}
        m.submodules.rom = self.rom = memory.Memory(
            shape=self._shape, depth=depth, init=self._words(), attrs=attributes)
        read, port = self.rom.read_port(domain="comb"), self.rom.write_port()
        word = Signal(self._shape, reset_less=True)
        m.d.sync += word.eq(read.data)
        if self._begins:
            m.d.sync += [self.written.eq(write.enable), self.written_step.eq(write.address)]
        m.d.comb += [
            read.addr.eq(self.step), self._word.eq(word),
            port.addr.eq(write.address), port.en.eq(write.enable),
            Value.cast(port.data).eq(write.word),
        ]
