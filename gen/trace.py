"""What an engine reports, and how two reports are compared: by equality, never by tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """The result of running S samples of T timesteps through L layers on one engine.

    Attributes
    ----------
    engine
        Name of the engine.
    spikes
        Per layer: bool (S, T, neurons). Empty on engines that see the hardware from outside.
    membranes
        Per layer: int64 (S, T, neurons), the membrane after the timestep as snnTorch returns it;
        None unless asked for.
    scores
        int64 (S, classes): what the readout makes of the last layer, such as its spikes summed
        over time; see :class:`spikewright.gen.coding.Readout`.
    prediction
        int64 (S,): class of the highest score; the lowest index among equals.
    counters
        Name → int64 (S, L). Every engine reports the functional ones; RTL engines and the cycle
        model report all of :data:`spikewright.gen.counters.COUNTERS`.
    cycles
        int64 (S,): clock cycles from the first input beat to the last result beat, both included,
        each sample on its own; None on engines without a clock.
    first_spike, decision
        int64 (S,): how many of these had passed with the last layer's first spike, and when the
        decision stood; see :data:`spikewright.gen.counters.NETWORK_COUNTERS`. None likewise.
    timesteps
        int64 (S,): timesteps that were processed, fewer than T if the inference exited early. In
        the others spikes and membranes are 0, and nothing is counted. None: all; or not known, of
        an engine without spikes.
    spilled
        bool (S,): the hardware is on a board, and the sample was longer than the board's buffer, so
        that whatever needs a clock depends on the wire, and is not compared. None: none was.
    """

    engine: str
    spikes: tuple[npt.NDArray[np.bool_], ...]
    scores: npt.NDArray[np.int64]
    prediction: npt.NDArray[np.int64]
    counters: dict[str, npt.NDArray[np.int64]]
    membranes: tuple[npt.NDArray[np.int64], ...] | None = None
    cycles: npt.NDArray[np.int64] | None = None
    first_spike: npt.NDArray[np.int64] | None = None
    decision: npt.NDArray[np.int64] | None = None
    timesteps: npt.NDArray[np.int64] | None = None
    spilled: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def accuracy(self, labels: npt.NDArray[np.int64]) -> float:
        """Fraction of samples whose prediction equals their label."""
        return float((self.prediction == labels).mean())

    @property
    def synops(self) -> int:
        """Synaptic operations of all samples and layers."""
        return int(self.counters["synops"].sum())


def within(values: npt.NDArray, timesteps: npt.NDArray[np.int64] | None) -> npt.NDArray:
    """``values``, (S, T, …), with 0 from timestep ``timesteps``, (S,), of each sample on."""
    if timesteps is None:
        return values
    kept = np.arange(values.shape[1]) < timesteps[:, np.newaxis]
    return values * kept.reshape(*kept.shape, *[1] * (values.ndim - 2))


@dataclass(frozen=True)
class Difference:
    """The first place where two traces disagree; ``layer``, ``timestep`` or ``neuron`` is None
    where the quantity has no such index."""

    what: str
    sample: int
    layer: str | None
    timestep: int | None
    neuron: int | None
    engines: tuple[str, str]
    values: tuple[int, int]

    def __str__(self) -> str:
        place = ", ".join(
            f"{key} {value}"
            for key, value in (("sample", self.sample), ("layer", self.layer),
                               ("timestep", self.timestep), ("neuron", self.neuron))
            if value is not None
        )
        first, second = self.engines
        return (f"{self.what} at {place}: {first} has {self.values[0]}, "
                f"{second} has {self.values[1]}")


def mismatched_samples(a: Trace, b: Trace) -> npt.NDArray[np.bool_]:
    """(S,) True where the two traces disagree on anything that both report."""
    wrong = np.zeros(len(a), np.bool_)
    for _, left, right, _, _ in _comparable(a, b):
        wrong |= (left != right).reshape(len(a), -1).any(axis=1)
    return wrong


def first_difference(a: Trace, b: Trace, layers: Sequence[str] | None = None) -> Difference | None:
    """The earliest disagreement in order of sample, timestep, layer, neuron; None if equal.

    Spikes, membranes (if both have them), readout and every counter that both report are
    compared: spikes and membranes of timesteps that both processed, counters of samples of which
    both processed the same timesteps. ``layers`` names the layers in the message; they are numbered
    without it.
    """
    found: list[tuple[tuple[int, ...], Difference]] = []
    for rank, (what, left, right, layer, per_step) in enumerate(_comparable(a, b)):
        wrong = np.argwhere(left != right)
        if not len(wrong):
            continue
        where = tuple(int(i) for i in wrong[0])
        sample, rest = where[0], where[1:]
        timestep = rest[0] if per_step else None
        if what.startswith("counter") and layer is None:
            layer, neuron = rest[0], None
        else:
            neuron = rest[-1] if rest else None
        name = None if layer is None else f"{layer}" if layers is None else layers[layer]
        values = (int(left[where]), int(right[where]))
        order = (sample, timestep if timestep is not None else 1 << 60, rank)
        found.append((order, Difference(
            what, sample, name, timestep, neuron,
            (a.engine, b.engine), values,
        )))
    return min(found, key=lambda item: item[0])[1] if found else None


def _comparable(a: Trace, b: Trace):
    """(what, left, right, layer index, whether axis 1 is time) of all that both traces report."""
    # Counters are defined in terms of traces.
    from .counters import FUNCTIONAL_COUNTERS

    seen = bool(a.spikes and b.spikes)
    if len(a) != len(b) or (seen and len(a.spikes) != len(b.spikes)):
        raise ValueError(f"traces of {len(a)} and {len(b)} samples, {len(a.spikes)} and "
                         f"{len(b.spikes)} layers cannot be compared")
    steps = a.spikes[0].shape[1] if seen else 0
    ran = [np.full(len(a), steps) if trace.timesteps is None else trace.timesteps
           for trace in (a, b)] if seen else [np.zeros(len(a))] * 2
    alike = (ran[0] == ran[1])[:, np.newaxis]
    both = None if alike.all() else np.minimum(*ran)
    clocked = np.ones(len(a), np.bool_)
    for trace in (a, b):
        if trace.spilled is not None:
            clocked &= ~trace.spilled
    for layer, (left, right) in enumerate(zip(a.spikes, b.spikes, strict=True) if seen else ()):
        yield "spike", within(left, both), within(right, both), layer, True
        if a.membranes is not None and b.membranes is not None:
            yield ("membrane", within(a.membranes[layer], both), within(b.membranes[layer], both),
                   layer, True)
    yield "score", a.scores, b.scores, None, False
    yield "prediction", a.prediction, b.prediction, None, False
    for name in sorted(a.counters.keys() & b.counters.keys()):
        left, right = a.counters[name], b.counters[name]
        # After an early exit the clock decides how much was counted at all.
        free = name in FUNCTIONAL_COUNTERS and a.timesteps is None and b.timesteps is None
        same = alike if free else alike & clocked[:, np.newaxis]
        yield f"counter {name}", left, np.where(same, right, left), None, False
    for name in ("cycles", "first_spike", "decision"):
        left, right = getattr(a, name), getattr(b, name)
        if left is not None and right is not None:
            yield name, left, np.where(clocked, right, left), None, False
