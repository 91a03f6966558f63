"""NeuroBench's metrics of a net as it stands, without data (Yik et al. 2025, "The NeuroBench
framework for benchmarking neuromorphic computing algorithms and systems"; package 2.3.0)."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from torch import nn

from ...gen.spec import Conv2d, Linear, NetworkSpec

#: Connections, as NeuroBench counts them; those inside a recurrent neuron are some too.
CONNECTIONS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def parameter_count(net: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in net.parameters())


def footprint(net: nn.Module) -> int:
    """Bytes of all parameters and buffers, as torch holds them: thresholds, decays and membranes of
    snnTorch's neurons among them."""
    return sum(tensor.numel() * tensor.element_size()
               for tensors in (net.parameters(), net.buffers()) for tensor in tensors)


def weights(net: nn.Module | NetworkSpec) -> list[npt.NDArray]:
    """The weights of every connection; a one-to-one recurrence is none."""
    if isinstance(net, NetworkSpec):
        synapses = [synapse for layer in net.layers for synapse in (layer.synapse, layer.recurrent)]
        return [synapse.weight for synapse in synapses if isinstance(synapse, (Linear, Conv2d))]
    return [module.weight.detach().cpu().numpy() for module in net.modules()
            if isinstance(module, CONNECTIONS)]


def connection_sparsity(weights: Iterable[npt.NDArray]) -> float:
    """Share of weights that are 0, to four places."""
    arrays = list(weights)
    zeros = sum(int(np.count_nonzero(array == 0)) for array in arrays)
    return round(zeros / sum(array.size for array in arrays), 4)
