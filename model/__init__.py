"""The torch side: data, training, quantisation, and the way from a torch module to a NetworkSpec.

Importing this package imports neither torch nor anything that needs it; using a name does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compiler import compile, quantise
    from .conversion.conversion import convert
    from .conversion.twins import qnn_twin, snn_twin
    from .data.datasets import EventDataset
    from .quantisation.net import QuantizedNet
    from .recipe import Recipe

_HOMES = {
    "EventDataset": "data.datasets",
    "QuantizedNet": "quantisation.net",
    "Recipe": "recipe",
    "compile": "compiler",
    "convert": "conversion.conversion",
    "qnn_twin": "conversion.twins",
    "quantise": "compiler",
    "snn_twin": "conversion.twins",
}

__all__ = ["EventDataset", "QuantizedNet", "Recipe", "compile", "convert", "qnn_twin", "quantise",
           "snn_twin"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
