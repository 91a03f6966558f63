"""NetworkSpec on disk: ``NAME.json`` for what people read, ``NAME.npz`` for the arrays.

No pickle anywhere, so a file from a stranger can be wrong but cannot run code. The JSON carries the
digest of the whole; :func:`load` refuses a pair that was truncated, edited or mixed up.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import Rounding
from .errors import SpecError
from .layers import Layer, Linear, Neuron, Reset
from .spec import FORMAT, NetworkSpec, describe


def save(spec: NetworkSpec, path: Path | str) -> None:
    """Writes ``spec`` to ``path`` (``….json``) and to the ``.npz`` beside it."""
    path = Path(path)
    description, arrays = describe(spec)
    path.write_text(json.dumps({**description, "digest": spec.digest}, indent=2) + "\n")
    with path.with_suffix(".npz").open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: Path | str) -> NetworkSpec:
    """Reads what :func:`save` wrote.

    Raises
    ------
    SpecError
        If either file is missing, truncated, edited, of an unknown version, or describes a network
        that the contract refuses.
    """
    path = Path(path)
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        arrays = _read_arrays(path.with_suffix(".npz"))
    except OSError as error:
        raise SpecError(f"{error.filename} cannot be read ({error.strerror})") from error
    except ValueError as error:  # json and numpy raise subclasses of it
        raise SpecError(f"{path} or its .npz is damaged: {error}; compile again") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise SpecError(f"{path} is not a {FORMAT} file; give the .json that `compile` wrote")
    if description.get("version") != NetworkSpec.VERSION:
        raise SpecError(
            f"{path} has version {description.get('version')!r}; this spikewright reads "
            f"{NetworkSpec.VERSION}; compile again, or install the spikewright that wrote it"
        )
    try:
        spec = _build(description, arrays)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"{path} lacks or mistypes a field: {error!r}; compile again") from error
    if spec.digest != description.get("digest"):
        raise SpecError(
            f"{path} or its .npz was changed after it was written (the digest differs); "
            f"compile again"
        )
    return spec


def _read_arrays(path: Path) -> dict[str, npt.NDArray[np.int64]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def _build(
    description: dict[str, Any], arrays: dict[str, npt.NDArray[np.int64]]
) -> NetworkSpec:
    def resolve(value: Any) -> Any:
        return arrays[value] if isinstance(value, str) else value

    layers = []
    for entry in description["layers"]:
        synapse, neuron = dict(entry["synapse"]), dict(entry["neuron"])
        if (kind := synapse.pop("kind")) != "linear":
            raise SpecError(f"layer {entry['name']}: synapse kind {kind!r} is unknown; allowed is "
                            f"'linear'")
        neuron["reset"] = Reset(neuron["reset"])
        neuron["rounding"] = Rounding(neuron["rounding"])
        for attribute in ("decay", "threshold", "bias"):
            neuron[attribute] = resolve(neuron[attribute])
        synapse["weight"] = resolve(synapse["weight"])
        layers.append(Layer(name=entry["name"], synapse=Linear(**synapse), neuron=Neuron(**neuron)))
    return NetworkSpec(
        input_shape=tuple(description["input_shape"]),
        layers=tuple(layers),
        timesteps=description["timesteps"],
        name=description["name"],
    )
