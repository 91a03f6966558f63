"""The parts of the contract as plain JSON and arrays, and back.

Each part is an object of its fields with the name of its class under ``type``; arrays of integers
stand apart, referred to as ``{"array": KEY}``, and enumerations are their values. One pair of
functions serves every part, so a field cannot be forgotten in one direction.
"""

import dataclasses
import enum
from typing import Any, get_type_hints

import numpy as np
import numpy.typing as npt

from .coding import Input, Readout
from .layers import Layer
from .neuron import Neuron
from .pooling import MaxPool2d, SumPool2d
from .synapses import Conv2d, Linear, OneToOne

Arrays = dict[str, npt.NDArray[np.int64]]

#: What a description may name; nothing else is ever constructed.
PARTS = {part.__name__: part for part in (
    Conv2d, Input, Layer, Linear, MaxPool2d, Neuron, OneToOne, Readout, SumPool2d,
)}


def describe(part: Any) -> tuple[dict[str, Any], Arrays]:
    """``part``, a dataclass of the contract, as a JSON-ready object and the arrays in it."""
    arrays: Arrays = {}
    return _plain(part, "", arrays), arrays


def _plain(value: Any, key: str, arrays: Arrays) -> Any:
    if dataclasses.is_dataclass(value):
        key = getattr(value, "name", key) if isinstance(value, Layer) else key
        fields = {field.name: getattr(value, field.name)
                  for field in dataclasses.fields(value) if field.init}
        return {"type": type(value).__name__} | {
            name: _plain(inner, f"{key}.{name}".removeprefix("."), arrays)
            for name, inner in fields.items()
        }
    if isinstance(value, np.ndarray):
        arrays[key] = value
        return {"array": key}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(inner, key, arrays) for inner in value]
    return value


def build(description: Any, arrays: Arrays) -> Any:
    """What :func:`describe` described, except that the type NetworkSpec is left as its fields.

    Raises
    ------
    SpecError
        If a part refuses its values.
    KeyError, TypeError, ValueError
        If a type is unknown, a field is missing or mistyped, or an array is missing.
    """
    if isinstance(description, list):
        return tuple(build(inner, arrays) for inner in description)
    if not isinstance(description, dict):
        return description
    if description.keys() == {"array"}:
        return arrays[description["array"]]
    fields = {name: build(inner, arrays) for name, inner in description.items() if name != "type"}
    if description["type"] == "NetworkSpec":
        return fields
    part = PARTS[description["type"]]
    for name, hint in get_type_hints(part).items():
        if name in fields and isinstance(hint, type) and issubclass(hint, enum.Enum):
            fields[name] = hint(fields[name])
    return part(**fields)
