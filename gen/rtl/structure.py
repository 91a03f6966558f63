"""What of a network's hardware stays when it is trained again."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ..arithmetic import signed_bits
from ..description import describe
from ..linear import LinearPlan
from ..plan import LayerPlan
from ..spec import NetworkSpec
from .parameters import TRAINED, parameter_layout, steady_layouts

#: Parts of a layer whose values are contents of memories and tables.
_CONTENTS = ("synapse.weight", "recurrent.weight", *(f"neuron.{name}" for name in TRAINED))


def structure(spec: NetworkSpec, plans: Sequence[LayerPlan]) -> str:
    """Digest of all that hardware with :mod:`.tables` is made of, without what fills its memories
    and tables: nets that have the same on the same foldings differ in contents alone, and need as
    much of a part. Cheap beside elaborating them.

    Shapes, neurons, decays, coding and timesteps are in it, and so are the widths that are proven
    from the weights.
    """
    description, arrays = describe(spec)
    for layer in description["layers"]:
        for name in TRAINED:
            if layer["neuron"].get(name) is not None:
                layer["neuron"][name] = "content"
    values = {key: [array.shape] if key.endswith(_CONTENTS) else array.tolist()
              for key, array in arrays.items()}
    text = json.dumps([description, values, signed_bits(*spec.score_range),
                       [_widths(plan) for plan in plans]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _widths(plan: LayerPlan) -> list[Any]:
    """What follows from the values of a layer."""
    synapses = plan.synapses
    linear = isinstance(synapses, LinearPlan)
    stored = parameter_layout(plan, exchanged=True)
    return [
        plan.accumulator_bits, plan.membrane_bits, plan.leaked_bits, plan.current_bits,
        plan.leaked_current_bits, synapses.sum_bits, synapses.sum_shift,
        synapses.weight_bits if linear else None,
        {name: stored[name].width for name in stored.members},
        {name: layout.size for name, layout in steady_layouts(plan).items()},
    ]
