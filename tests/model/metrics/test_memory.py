from amaranth.back import rtlil
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.boards.estimate import memories
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.network import Network
from spikewright.model.metrics.memory import layer_memory

from ...gen.strategies import BUILT, foldings, networks


@settings(max_examples=5, deadline=None)
@given(st.data())
def test_packed_memories_are_those_of_the_design(data):
    spec = data.draw(networks(features=BUILT, max_layers=2, max_size=9))
    folding = data.draw(foldings(spec))
    built = [memory.width * memory.depth
             for memory in memories(rtlil.convert(Network(spec, folding)))]
    for plan in layer_plans(spec, folding):
        parts = [layer_memory(part) for part in plan.slices]
        assert sum(part.packed for part in parts) == layer_memory(plan).packed
        # A memory of weights in each way or bank; of sums, one or two in each bank.
        ways, sums = plan.synapses.ways, 1
        if isinstance(plan.synapses, Conv2dPlan):
            ways = plan.synapses.rows.banks * plan.synapses.columns.banks
            sums = ways * (1 + plan.synapses.overlap)
        for found in parts:
            expected = [found.packed_states] + [found.packed_weights // ways] * ways
            if found.packed_sums:
                expected += [found.packed_sums // sums] * sums
            assert sum(expected) == found.packed
            for bits in expected:
                assert bits in built
                built.remove(bits)
