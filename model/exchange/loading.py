"""Nets of torch from files and from Python code.

A ``.pt`` file is read with ``weights_only=True``, so it holds tensors only and cannot run code;
which net they belong to is said by ``FILE.py:NAME`` or ``PACKAGE.MODULE:NAME``, a module, a class
or a function without arguments. A whole pickled module runs code when it is loaded, so it is read
only where it is trusted.
"""

import importlib
import importlib.util
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...gen.errors import SpikewrightError

#: Where checkpoints keep a net's tensors.
_STATES = ("state_dict", "model_state_dict", "net_state_dict", "model", "net")


def load_net(model: str, code: str | None = None, *, trust: bool = False) -> nn.Module:
    """The net in ``model``, in evaluation mode.

    Parameters
    ----------
    model
        A ``.pt`` file, or code as ``code``.
    code
        What the tensors of a ``.pt`` file belong to: ``FILE.py:NAME`` or ``PACKAGE.MODULE:NAME``.
    trust
        Whether a whole pickled module may be loaded.

    Raises
    ------
    SpikewrightError
        Saying what is wrong with the file or the code.
    """
    if ":" in model and not Path(model).exists():
        if code is not None:
            raise SpikewrightError(f"{model} is code already; give either that or --net {code} "
                                   f"with a .pt file")
        return _from_code(model).eval()
    content = _read(Path(model), trust=trust)
    if isinstance(content, nn.Module):
        return content.eval()
    state = next((content[key] for key in _STATES if isinstance(content.get(key), Mapping)),
                 content)
    if not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise SpikewrightError(f"{model} holds no state_dict; write it with torch.save("
                               f"net.state_dict(), {Path(model).name!r})")
    if code is None:
        raise SpikewrightError(f"{model} holds weights only; say which net they belong to, as in "
                               f"--net FILE.py:NAME")
    net = _from_code(code)
    try:
        net.load_state_dict(dict(state))
    except RuntimeError as error:
        raise SpikewrightError(f"{model} does not fit {code}: {_line(error)}") from error
    return net.eval()


def _read(path: Path, *, trust: bool) -> Any:
    if path.suffix == ".pt2":
        raise SpikewrightError(f"{path} is an exported program, in which neurons are dissolved; "
                               f"save net.state_dict() as .pt and give --net FILE.py:NAME")
    try:
        content = torch.load(path, map_location="cpu", weights_only=not trust)
    except OSError as error:
        raise SpikewrightError(f"{path} cannot be read ({error.strerror or error})") from error
    except pickle.UnpicklingError as error:
        raise SpikewrightError(
            f"{path} holds more than tensors, which may run code when it is loaded; save "
            f"net.state_dict() and give --net FILE.py:NAME, or add --trust if you made the file"
        ) from error
    except Exception as error:  # damaged files and modules that are not there, in many forms
        raise SpikewrightError(f"{path} cannot be loaded ({type(error).__name__}: {_line(error)}); "
                               f"give a file that torch.save made") from error
    if isinstance(content, torch.jit.ScriptModule):
        raise SpikewrightError(f"{path} is TorchScript, in which the neurons are dissolved; save "
                               f"net.state_dict() and give --net FILE.py:NAME")
    if not isinstance(content, (nn.Module, Mapping)):
        raise SpikewrightError(f"{path} holds a {type(content).__name__}; a state_dict is needed")
    return content


def _from_code(code: str) -> nn.Module:
    """The module that ``FILE.py:NAME`` or ``PACKAGE.MODULE:NAME`` is or makes."""
    place, colon, name = code.rpartition(":")
    if not (place and colon and name):
        raise SpikewrightError(f"{code!r} names no net; give FILE.py:NAME or PACKAGE.MODULE:NAME")
    try:
        found: Any = _module(place)
        for part in name.split("."):
            found = getattr(found, part)
        net = found if isinstance(found, nn.Module) else found()
    except SpikewrightError:
        raise
    except Exception as error:  # a user's code may raise anything
        raise SpikewrightError(
            f"{code} gives no net ({type(error).__name__}: {_line(error)}); name a module, or a "
            f"class or function without arguments"
        ) from error
    if not isinstance(net, nn.Module):
        raise SpikewrightError(f"{code} gives a {type(net).__name__}; a torch.nn.Module is needed")
    return net


def _module(place: str) -> Any:
    if not place.endswith(".py"):
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(place)
    path = Path(place).resolve()
    if not path.is_file():
        raise SpikewrightError(f"{place} is no file; give FILE.py:NAME")
    if str(path.parent) not in sys.path:  # for what lies beside it
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
