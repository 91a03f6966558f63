"""From the forward pass of any module to the chain of layers that it computes.

A copy of the net runs once, in float64 and on random numbers, over several timesteps, while
:mod:`.recording` follows every signal. Running beats symbolic tracing here: nets loop over time,
keep states in modules, arguments or lists, and branch on shapes, all of which ``torch.fx`` stumbles
over, while a run just does it. What a run cannot show, that another timestep does the same, is
checked: every timestep must pass the same modules, and the layers found must reproduce every spike
of the run.

The input is offered as one timestep (batch, …) that is given again for each timestep, as
(timesteps, batch, …), and as (batch, timesteps, …), until the net reads it as such. A forward pass
that takes states as arguments is handed its own states back.
"""

import copy
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from snntorch._neurons.neurons import SpikingNeuron
from torch import nn

from ...gen.errors import UnsupportedModuleError
from . import reference
from .chain import Link, chain
from .float_layer import FloatLayer
from .recording import Call, Recorder
from .walk import NEURONS

#: Runs a net on an input (timesteps, batch, …).
Runner = Callable[[nn.Module, torch.Tensor], Any]

_BATCH, _TIMESTEPS = 3, 4

#: A spike may differ where the membrane comes this close to the threshold: rounding decides there.
_CLOSE = 1e-6

_STATE = re.compile(r"(mem|syn|spk|state)\w*")


class Trace(NamedTuple):
    """What a net was seen to do: its ``links``, each neuron's ``calls``, and the ``frames``
    (timesteps, batch, …) that it read."""

    links: list[Link]
    calls: list[list[Call]]
    frames: torch.Tensor

    def parts(self, net: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
        """The modules of ``net`` in the signals' order, by path; True: a recurrent one, which
        stands before its neuron."""
        own = dict(net.named_modules())
        for link in self.links:
            for path, module in link.modules:
                yield path, own.get(path, module), False
            if link.recurrence:
                yield link.recurrence, own[link.recurrence], True
            yield link.neuron, own[link.neuron], False

    def prove(self, layers: list[FloatLayer]) -> None:
        """UnsupportedModuleError unless ``layers`` reproduce the run's spikes."""
        _prove(layers, self.calls, self.frames)


def trace(
    net: nn.Module, input_shape: tuple[int, ...], *, timesteps: int | None = None,
    run: Runner | None = None,
) -> Trace:
    """What ``net`` does with its input; ``net`` is left as it was.

    Parameters
    ----------
    timesteps
        Tried where the net reads a fixed number of timesteps; some are enough for the others.
    run
        ``run(net, x)`` runs the net on x (timesteps, batch, *input_shape), for a forward pass that
        takes its input in another way.

    Raises
    ------
    UnsupportedModuleError
        Naming the module or the operation and its line, and the remedy.
    """
    recorder, frames = _run(net, input_shape, timesteps, run)
    links = chain(recorder, net)
    return Trace(links, [recorder.calls[link.neuron] for link in links], frames)


def _run(
    net: nn.Module, input_shape: tuple[int, ...], timesteps: int | None, run: Runner | None
) -> tuple[Recorder, torch.Tensor]:
    """What happened in the first layout that the net takes, and the frames that it read."""
    generator = torch.Generator().manual_seed(0)
    tried = []
    for steps, layout in _layouts(net, timesteps, run):
        frames = torch.rand(steps, _BATCH, *input_shape, dtype=torch.float64, generator=generator)
        twin = _copy(net)
        recorder = Recorder(twin, frames)
        try:
            with _float64(twin), torch.random.fork_rng(devices=[]), torch.no_grad(), recorder:
                return recorder, layout(recorder)
        except UnsupportedModuleError:
            raise
        except Exception as error:  # a user's code may raise anything when given a wrong shape
            tried.append(f"{layout.__doc__}: {' '.join(str(error).split()) or repr(error)}")
    raise UnsupportedModuleError(
        f"{type(net).__name__} could not be run on inputs of shape {input_shape} "
        f"({'; '.join(tried)}); give the shape of one timestep, the timesteps that it loops over, "
        f"or run=lambda net, x: … that runs it on x (timesteps, batch, *input_shape)"
    )


def _layouts(net: nn.Module, timesteps: int | None, run: Runner | None) -> Iterator[
    tuple[int, Callable[[Recorder], torch.Tensor]]
]:
    """Numbers of timesteps, and functions that run a recorder's net and return what it read."""

    def at_once(recorder: Recorder) -> torch.Tensor:
        """run"""
        assert run is not None
        run(recorder.net, recorder.give(recorder.frames.clone(), None))
        return recorder.frames

    def each(recorder: Recorder) -> torch.Tensor:
        """(batch, …)"""
        frames = recorder.frames
        states = {name: torch.zeros(0) for name in _required(recorder.net)}
        for step in range(len(frames)):
            recorder.net(recorder.give(frames[step].clone(), step), **states)
            found = {name: recorder.states.get(id(state)) for name, state in states.items()}
            ran = max(map(len, recorder.calls.values()), default=0)
            if ran > step + 1:  # the net loops over time by itself
                return frames[:1].expand(ran, *frames.shape[1:])
            states = {name: torch.zeros(0) if owner is None else
                      recorder.calls[owner[0]][-1].states[owner[1]]
                      for name, owner in found.items()}
        return frames

    def time_first(recorder: Recorder) -> torch.Tensor:
        """(timesteps, batch, …)"""
        recorder.net(recorder.give(recorder.frames.clone(), None))
        return recorder.frames

    def batch_first(recorder: Recorder) -> torch.Tensor:
        """(batch, timesteps, …)"""
        recorder.net(recorder.give(recorder.frames.transpose(0, 1).clone(), None))
        return recorder.frames

    few = timesteps if timesteps and 2 <= timesteps < _TIMESTEPS else _TIMESTEPS
    if run is not None:
        yield few, at_once
        if timesteps and timesteps > few:
            yield timesteps, at_once
        return
    yield few, each
    if not _required(net):
        for layout in (time_first, batch_first):
            for steps in sorted({few, timesteps or few} - {1}):
                yield steps, layout


def _required(net: nn.Module) -> list[str]:
    """Arguments behind the first that are states, or have no default."""
    parameters = list(inspect.signature(net.forward).parameters.values())[1:]
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            and (p.default is p.empty or (p.default is None and _STATE.fullmatch(p.name)))]


def _copy(net: nn.Module) -> nn.Module:
    """``net`` in float64 and for inference, with every state at 0."""
    memo: dict[int, Any] = {}
    for module in net.modules():
        for name, value in [*vars(module).items(), *module._buffers.items()]:
            if isinstance(value, torch.Tensor):
                if isinstance(module, SpikingNeuron) and name in ("mem", "syn", "spk", "reset"):
                    memo[id(value)] = torch.zeros(0)
                elif not value.is_leaf:  # torch cannot copy it
                    memo[id(value)] = value.detach().clone()
    try:
        twin = copy.deepcopy(net, memo)
    except Exception as error:
        raise UnsupportedModuleError(
            f"{type(net).__name__} cannot be copied to be traced ({error}); keep nothing in it but "
            f"modules, parameters and plain values"
        ) from error
    for module in twin.modules():
        if isinstance(module, NEURONS):
            # What every surrogate of snnTorch computes forward, in float64 too.
            module.spike_grad = _step
    return twin.cpu().double().eval()


def _step(x: torch.Tensor) -> torch.Tensor:
    return (x > 0).to(x.dtype)


@contextmanager
def _float64(net: nn.Module) -> Iterator[None]:
    """New tensors are float64, and snnTorch's resets of all neurons mean those of ``net``."""
    dtype, instances = torch.get_default_dtype(), SpikingNeuron.instances
    torch.set_default_dtype(torch.float64)
    SpikingNeuron.instances = [m for m in net.modules() if isinstance(m, SpikingNeuron)]
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        SpikingNeuron.instances = instances


def _prove(layers: list[FloatLayer], calls: list[list[Call]], frames: torch.Tensor) -> None:
    found = reference.run(layers, frames.flatten(2))
    wrong = [trace.spikes != torch.stack([call.spikes.flatten(1) for call in ran])
             for trace, ran in zip(found, calls, strict=True)]
    for sample in range(frames.shape[1]):
        # Whatever follows the first difference follows from it.
        first = min(((int(step), number, int(neuron)) for number, each in enumerate(wrong)
                     for step, neuron in each[:, sample].nonzero()), default=None)
        if first is None:
            continue
        step, number, neuron = first
        layer, u = layers[number], found[number].potentials[step, sample, neuron]
        if abs(u - layer.threshold[neuron]) > _CLOSE * (1 + layer.threshold[neuron]):
            raise UnsupportedModuleError(
                f"layer {layer.name}: neuron {neuron} does not spike in timestep {step} as the "
                f"net's own forward pass has it, so the net does something that its modules do not "
                f"show; use plain modules, or nn.Sequential"
            )
