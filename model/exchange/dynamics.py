"""What an snnTorch net computes, as numbers: the float view that quantisation starts from.

Accepted are *synapse → neuron* chains: Linear or Conv2d, a BatchNorm or average pooling of its sums
behind it if there is one, at most one AvgPool2d or MaxPool2d of spikes in front, and any of
:data:`NEURONS` behind; Flatten, Unflatten, Dropout and Identity may stand between them. An
``nn.Sequential`` (nested ones too) of these is read as it stands; the forward pass of any other
module is traced, as :mod:`.tracing` says.
"""

from collections.abc import Iterator, Sequence

from torch import nn

from ...gen.errors import SpecError, UnsupportedModuleError
from .findings import Findings
from .float_layer import FloatLayer
from .tracing import Runner, trace
from .walk import ALLOWED, KNOWN, NEURONS, Walk, check_unhooked, strangers

__all__ = ["NEURONS", "float_layers", "inspect"]


def float_layers(
    net: nn.Module, input_shape: Sequence[int], *, timesteps: int | None = None,
    run: Runner | None = None,
) -> list[FloatLayer]:
    """The layers of ``net``, in order; ``input_shape`` is that of one timestep.

    ``timesteps`` and ``run`` say how a net that is traced is run; see :func:`.tracing.trace`.

    Raises
    ------
    UnsupportedModuleError
        If a module, an option of one, or an operation has no exact counterpart in hardware.
    SpecError
        If a weight, decay or threshold is not finite, or a threshold is not above 0.
    """
    net = getattr(net, "_orig_mod", net)  # of torch.compile
    walk, traced = Walk(tuple(input_shape)), None
    if run is not None or not is_chain(net):
        traced = trace(net, tuple(input_shape), timesteps=timesteps, run=run)
    for path, module, recurrent in (
        traced.parts(net) if traced else ((*part, False) for part in modules(net))
    ):
        if recurrent:
            walk.recur(path, module)
        else:
            walk.take(path, module)
    layers = walk.finish()
    if traced:
        traced.prove(layers)
    return layers


def inspect(
    net: nn.Module, input_shape: Sequence[int], *, timesteps: int | None = None
) -> tuple[list[FloatLayer], Findings]:
    """The layers of ``net``, none if a part does not map, and what became of each part."""
    findings, walk = Findings(), Walk(tuple(input_shape))
    try:
        parts = (
            [(*part, False) for part in modules(net)] if is_chain(net) else
            list(trace(net, tuple(input_shape), timesteps=timesteps).parts(net))
        )
    except (UnsupportedModuleError, SpecError) as error:
        for path, module in strangers(net):
            findings.refuse(path, type(module).__name__, "it has no counterpart in hardware; use "
                            + ALLOWED)
        if findings.maps:
            findings.refuse("net", type(net).__name__, str(error))
        return [], findings
    for path, module, recurrent in parts:
        kind = type(module).__name__
        try:
            if recurrent:
                walk.recur(path, module)
                findings.add(path, kind, "recurrence, one timestep later")
            else:
                walk.take(path, module)
                findings.add(path, kind, _becomes(walk, module))
        except (UnsupportedModuleError, SpecError) as error:
            findings.refuse(path, kind, str(error))
            walk.skip(path, module)
    if findings.maps:
        try:
            return float_layers(net, input_shape, timesteps=timesteps), findings
        except (UnsupportedModuleError, SpecError) as error:
            findings.refuse("net", type(net).__name__, str(error))
    return [], findings


def _becomes(walk: Walk, module: nn.Module) -> str:
    """What ``walk`` made of ``module``, which it took last."""
    match module:
        case nn.Linear():
            return f"{module.out_features}×{module.in_features} weights"
        case nn.Conv2d():
            return f"convolution to {walk.shape}"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return f"folded into {walk.synapse.path if walk.synapse else 'weights'}"
        case nn.AvgPool2d() | nn.MaxPool2d():
            return f"pooling to {walk.shape}" if walk.pool and not walk.synapse else (
                f"a larger kernel, to {walk.shape}")
        case nn.Flatten() | nn.Unflatten():
            return f"signals {walk.shape}"
        case _ if isinstance(module, NEURONS):
            layer = walk.layers[-1]
            return f"layer {layer.name}: {len(layer.decay)} neurons, reset {layer.reset.value}"
        case _:
            return "nothing"


def is_chain(net: nn.Module) -> bool:
    """Whether ``net`` is an nn.Sequential whose modules say all that it does."""
    return type(net) is nn.Sequential and not any(
        isinstance(part, KNOWN)
        for _, module in modules(net) if type(module) not in KNOWN
        for part in module.modules() if part is not module
    )


def modules(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules of a (nested) nn.Sequential, in order, with their paths."""
    if type(module) is nn.Sequential:
        check_unhooked(f"module {path or 'net'} (Sequential)", module)
        # Not named_children(), which leaves out a module that occurs a second time.
        for name, child in module._modules.items():
            if child is not None:
                yield from modules(child, f"{path}.{name}" if path else name)
    else:
        yield path or "net", module
