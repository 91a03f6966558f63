"""A memory that shows when something relies on what block memories do not promise."""

from amaranth.hdl import Module, Mux, Signal, Value

from spikewright.gen.rtl import array, conv_accumulators, linear, pooling
from spikewright.gen.rtl.block_memory import BlockMemory


class PoisonedMemory(BlockMemory):
    """Reads the complement of a word that is being written, where hardware may read anything."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = BlockMemory(self.shape, self.depth, self.init)
        collided = Signal()
        inputs = ("read_address", "write", "write_address", "write_data")
        m.d.sync += collided.eq(self.write & (self.read_address == self.write_address))
        m.d.comb += [getattr(memory, name).eq(getattr(self, name)) for name in inputs]
        data = Value.cast(memory.read_data)
        m.d.comb += Value.cast(self.read_data).eq(Mux(collided, ~data, data))
        return m


def poison(monkeypatch):
    """Every component is built of poisoned memories."""
    for module in (array, conv_accumulators, linear, pooling):
        monkeypatch.setattr(module, "BlockMemory", PoisonedMemory)
