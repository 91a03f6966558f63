"""NetworkSpec on disk: ``NAME.json`` for what people read, ``NAME.npz`` for the arrays.

No pickle anywhere, so a file from a stranger can be wrong but cannot run code. The JSON carries the
digest of the whole; :func:`load` refuses a pair that was truncated, edited or mixed up.
"""

import json
from pathlib import Path

import numpy as np

from . import npzfile
from .description import build, describe
from .errors import SpecError
from .spec import NetworkSpec

#: Marks files of this contract.
FORMAT = "spikewright-network"

#: Most bytes of all weights and parameters.
_MOST = 1 << 30


def save(spec: NetworkSpec, path: Path | str) -> None:
    """Writes ``spec`` to ``path`` (``….json``) and to the ``.npz`` beside it."""
    path = Path(path)
    description, arrays = describe(spec)
    head = {"format": FORMAT, "version": spec.VERSION}
    text = json.dumps({**head, **description, "digest": spec.digest}, indent=2)
    path.write_text(text + "\n")
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
        arrays = npzfile.read(path.with_suffix(".npz"), _MOST)
    except OSError as error:
        raise SpecError(f"{error.filename} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # json and npzfile raise subclasses of it
        raise SpecError(f"{path} or its .npz is damaged: {error}; compile again") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise SpecError(f"{path} is not a {FORMAT} file; give the .json that `compile` wrote")
    if description.get("version") != NetworkSpec.VERSION:
        raise SpecError(
            f"{path} has version {description.get('version')!r}; this spikewright reads "
            f"{NetworkSpec.VERSION}; compile again, or install the spikewright that wrote it"
        )
    digest = description.pop("digest", None)
    del description["format"], description["version"]
    try:
        fields = build(description, arrays)
        if not isinstance(fields, dict):
            raise TypeError(f"type {description['type']!r} instead of 'NetworkSpec'")
        spec = NetworkSpec(**fields)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SpecError(f"{path} lacks or mistypes a field: {error!r}; compile again") from error
    if spec.digest != digest:
        raise SpecError(
            f"{path} or its .npz was changed after it was written (the digest differs); "
            f"compile again"
        )
    return spec
