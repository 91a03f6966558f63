"""A layer of the contract: pooling, synapses, neurons and recurrence under one name."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import SpecError
from .neuron import Neuron
from .pooling import MaxPool2d, SumPool2d
from .synapses import Conv2d, Linear, OneToOne, dense
from .validation import PerNeuron, shown


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """Synapses and the neurons they drive, under the name that messages and reports use.

    Parameters
    ----------
    name
        An identifier, unique in the network.
    synapse
        :class:`Linear` or :class:`Conv2d`.
    neuron
        The neurons' equations and parameters.
    pool
        :class:`SumPool2d` or :class:`MaxPool2d` between the layer below and the synapse.
    recurrent
        :class:`Linear` (N, N) or :class:`OneToOne`: the layer's own spikes of timestep t − 1 are
        part of its input in timestep t, as in snnTorch's RLeaky and RSynaptic.

    Raises
    ------
    SpecError
        Naming the layer, what was given, what is allowed and the remedy.
    """

    name: str
    synapse: Linear | Conv2d
    neuron: Neuron
    pool: SumPool2d | MaxPool2d | None = None
    recurrent: Linear | OneToOne | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise SpecError(
                f"layer name {shown(self.name)} is not an identifier; use letters and digits"
            )
        for attribute, allowed in (
            ("synapse", (Linear, Conv2d)), ("neuron", (Neuron,)),
            ("pool", (SumPool2d, MaxPool2d, type(None))),
            ("recurrent", (Linear, OneToOne, type(None))),
        ):
            value = getattr(self, attribute)
            if not isinstance(value, allowed):
                names = ", ".join(kind.__name__.replace("NoneType", "None") for kind in allowed)
                raise SpecError(f"layer {self.name}: {attribute} is a {type(value).__name__}; "
                                f"allowed are {names}")
        for attribute in Neuron.PER_NEURON:
            self._one_each(attribute, getattr(self.neuron, attribute))
        self._check_pool()
        self._check_recurrent()

    def _one_each(self, attribute: str, value: object) -> None:
        if isinstance(value, np.ndarray) and value.size != self.neurons:
            raise SpecError(
                f"layer {self.name}: {attribute} has {value.size} values for {self.neurons} "
                f"neurons; give one, or one per neuron"
            )

    def _check_pool(self) -> None:
        if self.pool is None:
            return
        pooled = self.pool.output_shape
        if isinstance(self.synapse, Conv2d) and self.synapse.input_shape != pooled:
            raise SpecError(f"layer {self.name}: the convolution takes signals of shape "
                            f"{self.synapse.input_shape}, but its pooling gives {pooled}")
        if self.synapse.inputs != self.pool.outputs:
            raise SpecError(f"layer {self.name}: its synapse has {self.synapse.inputs} inputs, "
                            f"but its pooling gives {self.pool.outputs} ({pooled})")

    def _check_recurrent(self) -> None:
        if self.recurrent is None:
            return
        if self.neuron.threshold is None:
            raise SpecError(f"layer {self.name}: neurons without threshold never fire, so the "
                            f"recurrence carries nothing; leave it out, or give a threshold")
        if isinstance(self.recurrent, OneToOne):
            self._one_each("one-to-one weight", self.recurrent.weight)
        elif self.recurrent.weight.shape != (self.neurons, self.neurons):
            raise SpecError(
                f"layer {self.name}: recurrent weight has shape {self.recurrent.weight.shape}; "
                f"({self.neurons}, {self.neurons}) is needed"
            )

    @property
    def neurons(self) -> int:
        return self.synapse.neurons

    @property
    def inputs(self) -> int:
        """Signals that reach the layer, before any pooling."""
        return self.synapse.inputs if self.pool is None else self.pool.inputs

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of those signals: (C, H, W) where the layer needs to know, else flat."""
        if self.pool is not None:
            return self.pool.input_shape
        return self.synapse.input_shape if isinstance(self.synapse, Conv2d) else (self.inputs,)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the neurons: (C, H, W) of a convolution, else flat."""
        return self.synapse.output_shape

    @property
    def weights(self) -> int:
        """Weights that are stored: of the synapse and of an all-to-all recurrence."""
        own = self.recurrent.weight.size if isinstance(self.recurrent, Linear) else 0
        return self.synapse.weight.size + own

    @property
    def parameters(self) -> dict[str, PerNeuron]:
        """What the neurons have of :attr:`~.neuron.Neuron.PER_NEURON`, and ``recurrent``, the
        weight of each on itself: one value, or one for each neuron."""
        values = {name: getattr(self.neuron, name) for name in Neuron.PER_NEURON}
        if isinstance(self.recurrent, OneToOne):
            values["recurrent"] = self.recurrent.weight
        return {name: value for name, value in values.items() if value is not None}

    @property
    def fan_out(self) -> npt.NDArray[np.int64]:
        """Neurons that an event of each address reaches: (synapse.inputs,), or (inputs,) where a
        sum pooling takes the events as they come. Weights of 0 count, taps beyond the border and
        pixels that no window holds do not."""
        pool = self.pool if isinstance(self.pool, SumPool2d) else None
        if isinstance(self.synapse, Linear):
            if pool is None:
                return np.full(self.synapse.inputs, self.neurons)
            shape, copies = pool.input_shape, self.neurons
            rows, columns = (pool.windows(axis).any(axis=0) for axis in (0, 1))
        else:
            reach = [self.synapse.taps(axis).astype(np.int64) for axis in (0, 1)]
            shape = self.synapse.input_shape
            if pool is not None:
                shape = pool.input_shape
                reach = [taps @ pool.windows(axis) for axis, taps in enumerate(reach)]
            rows, columns = ((taps > 0).sum(axis=0) for taps in reach)
            copies = self.synapse.weight.shape[0] // self.synapse.groups
        return np.broadcast_to(np.outer(rows, columns) * copies, shape).reshape(-1)

    def arriving(self, signals: npt.NDArray) -> npt.NDArray[np.bool_]:
        """Where an event reaches the synapse, addressed as :attr:`fan_out`, when ``signals``
        (…, inputs) reach the layer: a max pooling sends one event for a window."""
        return self.pooled(signals) if isinstance(self.pool, MaxPool2d) else signals > 0

    def pooled(self, signals: npt.NDArray) -> npt.NDArray:
        """The signals that reach the synapse, (…, synapse.inputs), from those that reach the
        layer, (…, inputs)."""
        return signals if self.pool is None else self.pool.apply(signals)

    def dense(self) -> npt.NDArray[np.int64]:
        """Pooling and synapse as one matrix (neurons, inputs); for small layers.

        Raises
        ------
        SpecError
            If the layer has a max pooling, which no matrix represents.
        """
        if isinstance(self.pool, MaxPool2d):
            raise SpecError(f"layer {self.name}: a max pooling has no matrix")
        return dense(self.synapse) if self.pool is None else self.synapse.apply(
            self.pool.apply(np.eye(self.inputs, dtype=np.bool_))).T
