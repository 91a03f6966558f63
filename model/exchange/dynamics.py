"""What an snnTorch net computes, as numbers: the float view that quantisation starts from.

Accepted are *synapse → neuron* chains: Linear or Conv2d, a BatchNorm or average pooling of its sums
behind it if there is one, at most one AvgPool2d or MaxPool2d of spikes in front, and any of
:data:`NEURONS` behind; Flatten, Unflatten, Dropout and Identity may stand between them. An
``nn.Sequential`` (nested ones too) of these is read as it stands; the forward pass of any other
module is traced, as :mod:`.tracing` says.
"""

from collections.abc import Iterator, Sequence

from torch import nn

from .float_layer import FloatLayer
from .tracing import Runner, trace
from .walk import KNOWN, NEURONS, Walk, check_unhooked

__all__ = ["NEURONS", "float_layers"]


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
    if run is not None or not is_chain(net):
        return trace(net, tuple(input_shape), timesteps=timesteps, run=run)
    walk = Walk(tuple(input_shape))
    for path, module in modules(net):
        walk.take(path, module)
    return walk.finish()


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
