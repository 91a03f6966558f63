"""Other trainings of a network on hardware that is there: what of it is its shape, and which
training fits.

Hardware is made for a :class:`~.spec.NetworkSpec` and a folding. What of the network stands in
memories that can be loaded (:attr:`~.folding.LayerFolding.storage` and
:attr:`~.folding.LayerFolding.parameters`) may be that of another training; everything else is the
*shape*. A wider word never changes a value (:mod:`.widths`), so another training fits if it is
proven to need no more than the hardware has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from .arithmetic import signed_bits
from .convolution import Conv2dPlan
from .description import describe
from .errors import ShapeError
from .folding import Folding, Storage
from .layers import Layer
from .neuron import Neuron
from .plan import LayerPlan, layer_plans
from .rtl.image import network_image
from .rtl.parameters import loaded_shape, loaded_value, parameters
from .spec import NetworkSpec
from .synapses import OneToOne
from .widths import proven_widths

#: What a layer's neurons have of a parameter that can be loaded.
_NONE, _ONE, _EACH = "none", "one for all neurons", "one for each neuron"

#: Words as messages call them, and those whose own widths count where they can be loaded.
_WORDS = {"accumulated": "membranes", "membrane": "membranes behind the clamp",
          "leaked": "decayed membranes", "leaked_current": "decayed currents", "score": "scores"}
_PARAMETERS = (*Neuron.PER_NEURON, "recurrent")

_REMEDY = "build a bitstream of this run"


def shape_digest(spec: NetworkSpec, folding: Folding) -> str:
    """SHA-256, in hexadecimal, of all of ``spec``'s hardware that cannot be loaded."""
    plans = layer_plans(spec, folding)
    described = [_frozen(spec, plans), [_hardware(plan) for plan in plans],
                 [_widths(plan) for plan in plans]]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def training_image(built: NetworkSpec, folding: Folding, spec: NetworkSpec) -> bytes:
    """The bytes that make hardware of ``built``, folded by ``folding``, compute ``spec``.

    Raises
    ------
    ShapeError
        If ``spec`` is no training of that shape, or needs more bits somewhere; naming the layer,
        the number and what to do.
    """
    plans = layer_plans(built, folding)
    mine, theirs = _frozen(spec, plans, strict=False), _frozen(built, plans, strict=False)
    _compare(mine, theirs)
    for plan, layer, needed in zip(plans, spec.layers, proven_widths(spec), strict=True):
        _require_kinds(layer, plan)
        for word, (has, needs) in plan.widths.short(needed).items():
            if word not in _PARAMETERS:
                raise _narrow(layer, _WORDS.get(word, word), has, needs)
    # Weights and parameters that the words hold, whatever the words of their own hardware are.
    trained = layer_plans(spec, folding.with_widths([None] * len(plans), spec=spec))
    for plan, own in zip(plans, trained, strict=True):
        if not plan.loads_parameters:
            continue
        for name, column in parameters(own).items():
            values, has = loaded_value(plan, name, column), loaded_shape(plan, name).width
            needs = signed_bits(int(values.min()), int(values.max()))
            if needs > has:
                raise _narrow(own.layer, name, has, needs)
    return network_image(plans, trained)


def _narrow(layer: Layer, what: str, has: int, needs: int) -> ShapeError:
    return ShapeError(f"layer {layer.name}: its {what} may need {needs} bits, the hardware has "
                      f"{has}; {_REMEDY}")


def _frozen(spec: NetworkSpec, plans: Sequence[LayerPlan], strict: bool = True) -> dict[str, Any]:
    """What is said of ``spec`` without what ``plans`` load. ``strict``: with what is known of
    that by its kind alone."""
    described, arrays = describe(spec)
    del described["name"]

    def fixed(value: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {"array"}:
            array = arrays[value["array"]]
            return [list(array.shape), hashlib.sha256(array.astype("<i8").tobytes()).hexdigest()]
        if isinstance(value, dict):
            return {name: fixed(inner) for name, inner in value.items()}
        return [fixed(inner) for inner in value] if isinstance(value, list) else value

    for layer, plan, said in zip(spec.layers, plans, described["layers"], strict=False):
        own = said["recurrent"]
        if plan.synapses.storage is not Storage.FIXED:
            for synapses, said_of in ((layer.synapse, said["synapse"]), (layer.recurrent, own)):
                if said_of is not None and not isinstance(synapses, OneToOne):
                    said_of["weight"] = list(np.shape(synapses.weight))  # pyright: ignore
                    del said_of["weight_bits"]
        for name, value in layer.parameters.items():
            where, key = (own, "weight") if name == "recurrent" else (said["neuron"], name)
            if plan.loads_parameters:
                where[key] = _kind(value) if strict else "any"
            elif isinstance(value, int):
                where[key] = [[], str(value)]
    return fixed(described)


def _kind(value: Any) -> str:
    if isinstance(value, int):
        return _ONE if value else _NONE
    return _EACH


def _compare(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Raises ShapeError at the first difference."""
    for name in mine:
        if name != "layers":
            _same(f"the network's {name}", mine[name], theirs[name])
    _same("the number of layers", len(mine["layers"]), len(theirs["layers"]))
    for own, other in zip(mine["layers"], theirs["layers"], strict=True):
        where = f"layer {own['name']}"
        _same(f"{where}: its name", own["name"], other["name"])
        for name in own:
            if isinstance(own[name], dict) and isinstance(other[name], dict):
                for part in own[name].keys() | other[name].keys():
                    _same(f"{where}: {part} of its {name}", own[name].get(part),
                          other[name].get(part))
            else:
                _same(f"{where}: its {name}", own[name], other[name])


def _same(what: str, mine: Any, theirs: Any) -> None:
    if mine == theirs:
        return
    if _fixed(mine) or _fixed(theirs):
        raise ShapeError(f"{what} is another one, and the hardware was built so that it cannot be "
                         f"loaded; {_REMEDY}, with --loadable if others will follow")
    raise ShapeError(f"{what} is {_short(mine)}, the hardware was built for {_short(theirs)}; "
                     f"{_REMEDY}")


def _fixed(value: Any) -> bool:
    """Whether ``value`` is the digest of an array, or a parameter that all neurons share."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], str)


def _short(value: Any) -> str:
    return f"{value.get('type', value)}" if isinstance(value, dict) else f"{value!s:.80}"


def _require_kinds(layer: Layer, there: LayerPlan) -> None:
    if not there.loads_parameters:
        return
    has = there.layer.parameters
    for name, value in layer.parameters.items():
        mine, theirs = _kind(value), _kind(has[name])
        shared = name not in ("bias", "recurrent")
        if mine == _EACH != theirs or (mine == _ONE and theirs == _NONE and not shared):
            raise ShapeError(
                f"layer {layer.name}: {name} is {mine}, the hardware was built for "
                f"{_ONE if shared and theirs == _NONE else theirs}; {_REMEDY}")


def _hardware(plan: LayerPlan) -> dict[str, Any]:
    """What was chosen of a layer's hardware."""
    synapses = plan.synapses
    chosen: dict[str, Any] = {
        "lanes": synapses.lanes, "units": plan.units, "ways": synapses.ways,
        "slices": len(plan.slices), "storage": synapses.storage.value,
        "parameters": plan.loads_parameters,
    }
    if isinstance(synapses, Conv2dPlan):
        return {**chosen, "overlap": synapses.overlap,
                "banks": [synapses.rows.banks, synapses.columns.banks]}
    return {**chosen, "protect": synapses.code.protect.value}


def _widths(plan: LayerPlan) -> dict[str, int]:
    """Bits of each kind of word."""
    own = {name: loaded_shape(plan, name).width for name in parameters(plan)} \
        if plan.loads_parameters else {}
    return {**asdict(plan.widths), **own}
