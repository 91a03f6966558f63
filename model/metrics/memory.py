"""What a network keeps in memory: by the contract, and in the words of the memories that hardware
is made of, which pad, copy and double."""

from dataclasses import dataclass

from ...gen.convolution import Conv2dPlan
from ...gen.linear import LinearPlan
from ...gen.plan import LayerPlan
from ...gen.rtl.neurons import StateLayout
from ...gen.rtl.streams import address_bits
from ...gen.spec import Linear


@dataclass(frozen=True)
class LayerMemory:
    """Bits of one layer.

    Attributes
    ----------
    stored_weights, stored_states
        What the contract needs: every weight once, of a convolution too, at its width; of every
        neuron the membrane, and the current where the synapses decay.
    packed_weights
        In the words of the weight memories: lanes without a neuron, a copy in each bank of a
        convolution, an average pooling's repeated columns, rows that addresses skip.
    packed_states
        In the words of the state memory: units without a neuron, flags.
    packed_sums
        In the accumulators' memory, both of its halves; 0 if they are registers.
    """

    stored_weights: int
    stored_states: int
    packed_weights: int
    packed_states: int
    packed_sums: int

    @property
    def stored(self) -> int:
        """Bits by the contract."""
        return self.stored_weights + self.stored_states

    @property
    def packed(self) -> int:
        """Bits of memory words."""
        return self.packed_weights + self.packed_states + self.packed_sums


def layer_memory(plan: LayerPlan) -> LayerMemory:
    """The memory of the layer that ``plan`` builds."""
    layer, synapses = plan.layer, plan.synapses
    weights = layer.synapse.weight.size * layer.synapse.weight_bits
    if isinstance(layer.recurrent, Linear):
        weights += layer.recurrent.weight.size * layer.recurrent.weight_bits
    if isinstance(synapses, Conv2dPlan):
        banks = synapses.rows.banks * synapses.columns.banks
        packed = banks * synapses.weight_words * synapses.lanes * layer.synapse.weight_bits
        sums = banks * synapses.sum_words * synapses.lanes * synapses.word_bits
    else:
        assert isinstance(synapses, LinearPlan)
        packed = synapses.ways * synapses.bank_words * synapses.lanes * synapses.weight_bits
        halves = 0 if synapses.in_registers else 2 << address_bits(synapses.rows)
        sums = halves * synapses.lanes * synapses.sum_bits
    return LayerMemory(
        stored_weights=weights,
        stored_states=layer.neurons * (plan.accumulator_bits + plan.current_bits),
        packed_weights=packed,
        packed_states=plan.steps * plan.units * StateLayout(plan).size,
        packed_sums=sums,
    )
