"""What was recorded, as the chain of layers that every timestep passes."""

from typing import NamedTuple, NoReturn

from torch import nn

from ...gen.errors import UnsupportedModuleError
from .recording import Recorder
from .signals import Activity, Foreign, Frame, Modules, Nothing, Value
from .walk import ALLOWED, NEURONS, strangers

_REMEDIES = {
    "sum": "hardware has one synapse a layer and no skip connections; give the layer one source",
    "torch.cat": "a layer has one source in hardware; merge the layers that are joined into one",
    "torch.Tensor.mul": "multiply the factor into the weights that take the result",
    "torch.nn.functional.relu": "drop it, a spike is never negative; spiking neurons stand behind "
                                "Linear and Conv2d",
    "torch.nn.functional.linear": "use nn.Linear",
    "torch.nn.functional.conv2d": "use nn.Conv2d",
}


class Link(NamedTuple):
    """A neuron by its path, what its signals pass on their way from the neuron before (or from the
    input), and the path of a module that its own spikes pass on their way back, if there is one."""

    neuron: str
    modules: Modules
    recurrence: str | None


def chain(recorder: Recorder, net: nn.Module) -> list[Link]:
    """The layers that ``recorder`` saw ``net`` pass in every timestep, in the signals' order.

    Raises
    ------
    UnsupportedModuleError
        If they form no chain, or something else stands between them.
    """
    calls = recorder.calls
    if not calls:
        raise UnsupportedModuleError(
            f"module net ({type(net).__name__}) runs no neuron that has a counterpart in hardware; "
            f"use {', '.join(f'snn.{kind.__name__}' for kind in NEURONS)}"
        )
    lengths = {path: len(ran) for path, ran in calls.items()}
    most, fewest = max(lengths, key=lengths.__getitem__), min(lengths, key=lengths.__getitem__)
    if lengths[most] != lengths[fewest]:
        raise UnsupportedModuleError(
            f"module {most} runs {lengths[most]} times where module {fewest} runs "
            f"{lengths[fewest]} times; every neuron runs once in every timestep"
        )
    behind: dict[str | None, Link] = {}
    for path, ran in calls.items():
        steps = [_source(path, step, call.value) for step, call in enumerate(ran)]
        before, modules, recurrence = steps[-1]
        shown = [_shown(step[1]) for step in steps]
        for step, other in enumerate(steps):
            if (other[0], shown[step], other[2]) != (before, shown[-1], recurrence):
                raise UnsupportedModuleError(f"module {path} is fed in another way in timestep "
                                             f"{step} than in the others; do the same in each")
        if before in behind:
            raise UnsupportedModuleError(
                f"modules {behind[before].neuron} and {path} both take "
                f"{'the input' if before is None else f'the spikes of module {before}'}; layers "
                f"form one chain in hardware, so merge them into one layer"
            )
        behind[before] = Link(path, modules, recurrence)
    links, before = [], None
    while before in behind:
        links.append(behind.pop(before))
        before = links[-1].neuron
    used = {name for link in links for name in
            (*(name for name, _ in link.modules), link.recurrence)}
    for path, module in recorder.synapses.items():
        if path not in used:
            for other, stranger in strangers(net):
                raise UnsupportedModuleError(f"module {other} ({type(stranger).__name__}) has no "
                                             f"counterpart in hardware; use {ALLOWED}")
            raise UnsupportedModuleError(
                f"module {path} ({type(module).__name__}) has no neuron behind it; end the net "
                f"with snn.Leaky or another neuron, whose activity is the result"
            )
    return links


def _shown(modules: Modules) -> list[str]:
    """The same for the same modules, and for views and poolings made anew in each timestep."""
    return [f"{path} {module}" for path, module in modules]


def _source(path: str, step: int, value: Value) -> tuple[str | None, Modules, str | None]:
    """The neuron below, None for the input; the modules between; the path of a recurrent one."""
    recurrence = None
    match value.origin:
        case Foreign("sum", _, (one, other)) if not value.modules:
            for feed, own in ((one, other), (other, one)):
                if len(own.modules) == 1 and isinstance(own.modules[0][1], nn.Linear) and (
                    own.origin == Activity(path, step - 1) or (
                        step == 0 and own.origin == Nothing())
                ):
                    value, recurrence = feed, own.modules[0][0]
                    break
            else:
                _refuse(path, step, value)
        case Foreign():
            _refuse(path, step, value)
    match value.origin:
        case Frame():
            return None, value.modules, recurrence
        case Activity(before, now, "spikes") if now == step and before != path:
            return before, value.modules, recurrence
    _refuse(path, step, value)


def _refuse(path: str, step: int, value: Value) -> NoReturn:
    """Says what of ``value`` may not reach the neuron at ``path``."""
    below = [value]
    for value in below:  # grows
        match value.origin:
            case Activity(before, _, what) if what != "spikes":
                raise UnsupportedModuleError(
                    f"module {path} takes the {what} of module {before}, not its spikes; only "
                    f"spikes travel between layers, so hand on the first result of {before}"
                )
            case Activity(before, now, _) if now < step:
                raise UnsupportedModuleError(
                    f"module {path} takes the spikes of module {before} of an earlier timestep; "
                    f"there is no feedback across layers and no delay in hardware; use snn.RLeaky "
                    f"or snn.RSynaptic for recurrence within a layer"
                )
            case Foreign(name, _, sources) if name != "sum" and any(
                isinstance(source.origin, Foreign) for source in sources
            ):
                below.extend(sources)  # what came first is to blame
            case Foreign(name, place, _) if name != "sum":
                remedy = _REMEDIES.get(name, "encode inputs before the net, judge spikes behind "
                                             "it, and keep to Linear, Conv2d, poolings and views")
                what = name if name.startswith(("a ", "module ")) else f"the result of {name}"
                raise UnsupportedModuleError(
                    f"module {path} takes {what} at {place}, which has no counterpart in "
                    f"hardware; {remedy}"
                )
            case Foreign(_, _, sources):
                below.extend(sources)
            case Nothing():
                raise UnsupportedModuleError(f"module {path} takes zeros that are no signal of the "
                                             f"net in timestep {step}; feed it in each timestep")
    place = next((value.origin.place for value in below if isinstance(value.origin, Foreign)), None)
    raise UnsupportedModuleError(f"module {path} takes a sum of two signals"
                                 f"{f' made at {place}' if place else ''}; {_REMEDIES['sum']}")
