"""What a network with flipped bits computes: exactly what its hardware does, without a clock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..coding import ReadoutKind
from ..counters import PROTECTION_COUNTERS, functional
from ..engines.golden import concatenate
from ..folding import Folding
from ..plan import LayerPlan, layer_plans
from ..rtl.parameters import parameters
from ..spec import NetworkSpec
from ..synapses import Linear
from ..trace import Trace, within
from .flips import Flips
from .memories import Kind, field_of, flip_of, memories, parameter_fields
from .neurons import WrappingNeurons, wrap
from .strikes import Strikes
from .synapses import LinearSums, layer_sums

#: Sums of a batch are held below this many bytes.
BATCH_BYTES = 1 << 27

_Ints = npt.NDArray[np.int64]


class FaultyNetwork:
    """``spec`` on hardware of ``folding`` in which ``flips`` happened.

    The bits that are stored flip before anything runs: the first inference begins with the
    membranes that an inference before it left.

    Parameters
    ----------
    spec : NetworkSpec
    folding : Folding
    flips : Flips
    """

    def __init__(self, spec: NetworkSpec, folding: Folding, flips: Flips | None = None):
        self.spec = spec
        self.plans = layer_plans(spec, folding)
        self.memories = memories(self.plans)
        self.flips = flips or Flips()
        self.score_bits = self.plans[-1].widths.score
        by_memory: dict[int, list[tuple[int, int]]] = {}
        for memory, word, bit in self.flips.stored.tolist():
            by_memory.setdefault(memory, []).append((word, bit))
        self.layers = []
        for number, plan in enumerate(self.plans):
            here = {n: memory for n, memory in enumerate(self.memories)
                    if memory.layer == number and n in by_memory}
            weights = {(memory.slice, memory.place): by_memory[n] for n, memory in here.items()
                       if memory.kind is Kind.WEIGHTS}
            held = {memory.slice: by_memory[n] for n, memory in here.items()
                    if memory.kind is Kind.PARAMETERS}
            self.layers.append((layer_sums(plan, weights),
                                WrappingNeurons(plan, _parameters(plan, held))))

    def run(self, signals: npt.NDArray, *, membranes: bool = False,
            timesteps: _Ints | None = None,
            progress: Callable[[int], None] = lambda samples: None) -> Trace:
        """The trace of ``signals``, which :func:`~..engines.checked` has seen.

        ``timesteps`` is as of :func:`~..engines.simulate`: how many of each sample are counted and
        reported.
        """
        widest = max(max(layer.inputs, layer.neurons) for layer in self.spec.layers)
        batch = max(1, BATCH_BYTES // (8 * self.spec.steps(signals) * widest))
        parts = []
        for start in range(0, len(signals), batch):
            these = slice(start, start + batch)
            parts.append(self._run(
                signals[these], start, membranes,
                None if timesteps is None else timesteps[these]))
            progress(len(parts[-1]))
        return concatenate(parts)

    def _run(self, signals: npt.NDArray, first: int, keep: bool, timesteps: _Ints | None) -> Trace:
        spec, count = self.spec, self.spec.steps(signals)
        flips = self.flips.of(first, first + len(signals)).passing
        out, membranes, saturations = [], [], []
        reaching = signals
        for number in range(len(self.plans)):
            reaching, m, clamped = self._layer(number, reaching, count, flips)
            out.append(reaching)
            membranes.append(m if keep or number == len(self.plans) - 1 else m[:0])
            saturations.append(within(clamped, timesteps).sum(axis=1))
        scores = spec.readout.scores(out[-1], membranes[-1], spec.timesteps)
        if spec.readout.kind is ReadoutKind.MEMBRANE:
            scores = wrap(scores, self.score_bits)
        out = [within(spikes, timesteps) for spikes in out]
        counters = functional(spec, within(signals, timesteps), out, saturations, timesteps)
        if any(plan.synapses.protected for plan in self.plans):
            counters |= self._found(within(signals, timesteps), out, timesteps)
        return Trace(
            engine="golden",
            spikes=tuple(out),
            membranes=tuple(within(m, timesteps) for m in membranes) if keep else None,
            scores=scores,
            prediction=scores.argmax(axis=1),
            counters=counters,
            timesteps=timesteps,
        )

    def _found(self, signals: npt.NDArray, out: list[npt.NDArray],
               timesteps: _Ints | None) -> dict[str, _Ints]:
        """The counters of what the codes of weights find."""
        counts = np.zeros((len(PROTECTION_COUNTERS), len(signals), len(self.plans)), np.int64)
        ran = np.full(len(signals), out[0].shape[1]) if timesteps is None else timesteps
        for number, (plan, (sums, _)) in enumerate(zip(self.plans, self.layers, strict=True)):
            if isinstance(sums, LinearSums) and plan.synapses.protected:
                recurs = isinstance(plan.layer.recurrent, Linear)
                own = within(out[number], ran - 1) if recurs else None
                counts[:, :, number] = sums.reads(signals if number == 0 else out[number - 1], own)
        return {counter.name: of for counter, of in zip(PROTECTION_COUNTERS, counts, strict=True)}

    def _layer(self, number: int, signals: npt.NDArray, timesteps: int, flips: _Ints):
        """Spikes (S, T, N), membranes (S, T, N) and saturations (S, T) of one layer."""
        plan, (sums, neurons) = self.plans[number], self.layers[number]
        below = sums.below(signals)
        shape = (len(signals), timesteps, plan.layer.neurons)
        below = np.broadcast_to(below, shape)
        out, membranes = np.empty(shape, np.bool_), np.empty(shape, np.int64)
        saturations = np.empty(shape[:2], np.int64)
        states = neurons.initial(len(signals))
        strikes = Strikes(plan, number, self.memories, flips)
        for t in range(timesteps):
            total = below[:, t]
            if isinstance(plan.layer.recurrent, Linear) and t > 0:
                assert isinstance(sums, LinearSums)
                total = total + sums.own(out[:, t - 1])
            strikes.hit(states, t)
            out[:, t], membranes[:, t], clamped, states = neurons.step(
                states, sums.arrived(total))
            saturations[:, t] = clamped.sum(axis=1)
        return out, membranes, saturations


def _parameters(plan: LayerPlan, flips: dict[int, list[tuple[int, int]]]) -> dict[str, _Ints]:
    """Every parameter of each neuron as hardware reads it, (neurons,), with ``flips`` by slice."""
    values: dict[str, _Ints] = {}
    for index, part in enumerate(plan.slices):
        columns = {name: column.copy() for name, column in parameters(part).items()}
        fields = parameter_fields(part)
        for word, bit in flips.get(index, []):
            field, bit = field_of(fields, bit)
            columns[field.name][word, field.unit] ^= flip_of(field.width, bit)
        real = part.order >= 0
        for name, column in columns.items():
            each = values.setdefault(name, np.zeros(plan.layer.neurons, np.int64))
            each[part.order[real]] = column[real]
    return values

