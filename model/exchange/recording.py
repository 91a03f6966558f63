"""What a net's forward pass does with each signal, recorded while it runs.

Modules of the kinds that a :class:`.walk.Walk` knows are watched from outside, everything else
that torch computes is seen by a ``TorchFunctionMode``. So any Python may stand in a forward pass:
loops over time, branches, state kept anywhere. Where a tensor came from is known by following it,
and is believed only if its numbers agree: a layer's input must equal, element for element, the
frame or the spikes that it is said to be.
"""

import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import snntorch as snn
import torch
from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

from ...gen.errors import UnsupportedModuleError
from .signals import Activity, Foreign, Frame, Modules, Nothing, Value, same, tensors
from .walk import KNOWN, NEURONS, TRANSPARENT

#: States of a neuron, as its forward pass names them.
STATES = {snn.Leaky: ("mem",), snn.Lapicque: ("mem",), snn.Synaptic: ("syn", "mem"),
          snn.RLeaky: ("spk", "mem"), snn.RSynaptic: ("spk", "syn", "mem")}

#: Functions that may keep every number in its place; whether they did is looked up.
_KEEPING = {"flatten", "view", "reshape", "ravel", "squeeze", "unsqueeze", "view_as", "reshape_as",
            "unflatten", "contiguous", "clone", "detach", "detach_", "float", "double", "half",
            "to", "type", "type_as", "cpu", "cuda", "requires_grad_", "dropout", "dropout1d",
            "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "__get__", "__getitem__",
            "expand", "expand_as", "alias", "nan_to_num", "permute", "transpose"}

#: Functions that choose a part of the network's input; which one is looked up.
_CHOOSING = _KEEPING | {"unbind", "select", "narrow", "split", "chunk", "index_select",
                        "swapaxes", "swapdims", "movedim", "moveaxis", "t", "tensor_split"}

_POOLS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "avg_pool2d": (nn.AvgPool2d, ("kernel_size", "stride", "padding", "ceil_mode",
                                  "count_include_pad", "divisor_override")),
    "max_pool2d": (nn.MaxPool2d, ("kernel_size", "stride", "padding", "dilation", "ceil_mode",
                                  "return_indices")),
}
#: Functions that may give another type; here, all numbers are float64.
_CASTS = {"float", "double", "half", "bfloat16", "to", "type", "type_as"}

_ADDITIONS = {"add", "add_", "__add__", "__radd__", "__iadd__"}

#: Frames of these are no user's code.
_HERE, _LIBRARIES = Path(__file__).parent, {"torch", "snntorch"}


class LayoutError(Exception):
    """The net does not take its input in the layout that was tried."""


@dataclass
class Call:
    """One timestep of a neuron: what reached it, its spikes, its states afterwards."""

    value: Value
    spikes: torch.Tensor
    states: dict[str, torch.Tensor]


@dataclass(eq=False)
class Recorder(TorchFunctionMode):
    """Watches ``net``, whose modules it wraps, so it must be a copy.

    ``frames``, (timesteps, batch, …), is what the net may find in the input that it is given.
    """

    net: nn.Module
    frames: torch.Tensor
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    #: Modules with weights that ran, by path.
    synapses: dict[str, nn.Module] = field(default_factory=dict)
    #: Which state of which neuron each placeholder was handed to.
    states: dict[int, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._values: dict[int, tuple[torch.Tensor, Value]] = {}
        self._inside = False
        self._reads: dict[str, int] = defaultdict(int)
        self._frame: int | None = None
        for path, module in self.net.named_modules():
            if type(module) in NEURONS:
                module.forward = self._watched_neuron(path, module, module.forward)
            elif type(module) in KNOWN:
                module.forward = self._watched(path, module, module.forward)

    def give(self, x: torch.Tensor, frame: int | None) -> torch.Tensor:
        """``x`` as the network's input: all frames, or the one numbered ``frame``."""
        self._frame = frame
        self._reads.clear()
        return self._know(x, Value(Frame(), tuple(self.frames.shape[2:])))

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[override]
        kwargs = kwargs or {}
        if self._inside:
            return func(*args, **kwargs)
        sources = [known for t in tensors((args, kwargs)) if (known := self._known(t))]
        with self._unwatched():
            result = func(*args, **kwargs)
            name = getattr(func, "__name__", "")
            if sources and name in _CASTS and result.is_floating_point():
                result = args[0].double()
        if sources:
            for tensor in tensors(result):
                self._know(tensor, self._made(func, name, args, kwargs, sources, tensor))
        return result

    def _made(
        self, func: Any, name: str, args: Any, kwargs: Any, sources: list[Value],
        result: torch.Tensor,
    ) -> Value:
        """What ``result`` of ``func`` is."""
        source, first = sources[0], args[0] if args else None
        if len(sources) == 1 and isinstance(first, torch.Tensor):
            if name in _POOLS:
                kind, names = _POOLS[name]
                options = dict(zip(names, args[1:], strict=False)) | kwargs
                pool = ((f"{name} at {_place()}", kind(**options)),)
                return Value(source.origin, tuple(result.shape[1:]), (
                    *self._reshaped(first, source), *pool))
            if isinstance(source.origin, Frame) and not source.modules and name in _CHOOSING:
                return source
            if name in _KEEPING and same(first, result):
                return source
        shown = resolve_name(func) or name
        if name in _ADDITIONS and len(args) == 2 and not kwargs.get("alpha"):
            sources = [self._source(t) for t in args if isinstance(t, torch.Tensor)]
            shown = "sum" if len(sources) == 2 else shown
        return _foreign(shown, sources, result)

    def _watched(self, path: str, module: nn.Module, forward: Callable[..., Any]) -> Any:
        def run(x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return forward(x, *args, **kwargs)
            source = self._source(x)
            if type(module) in (*TRANSPARENT, nn.Flatten, nn.Unflatten):
                with self._unwatched():
                    result = forward(x, *args, **kwargs)
                return self._know(result, source if same(x, result) else
                                  _foreign(f"module {path} ({type(module).__name__})", [source], x))
            before = self._reshaped(x, source, path)
            with self._unwatched():
                result = forward(x.double(), *args, **kwargs)
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                self.synapses[path] = module
            return self._know(result, Value(source.origin, tuple(result.shape[1:]),
                                            (*before, (path, module))))

        return run

    def _watched_neuron(self, path: str, module: Any, forward: Callable[..., Any]) -> Any:
        names = STATES[type(module)]
        signature = inspect.signature(forward)

        def run(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            x = given["input_"]
            source = self._source(x)
            modules = self._reshaped(x, source, path)
            calls = self.calls[path]
            for name in names:
                self._check_state(path, name, given.get(name), module, x)
            with self._unwatched():
                out = forward(*args, **kwargs)
            out = tuple(t.double() for t in out) if isinstance(out, tuple) else out.double()
            spikes = out[0] if isinstance(out, tuple) else out
            step, shape = len(calls), tuple(spikes.shape[1:])
            states = {name: getattr(module, name) for name in names}
            calls.append(Call(replace(source, modules=modules), spikes.clone(),
                              {name: state.clone() for name, state in states.items()}))
            for name, state in states.items():
                self._know(state, Value(Activity(path, step, name), shape))
            for tensor in tensors(out):
                name = next((n for n in names if tensor is states[n]), "spk")
                what = "spikes" if name == "spk" else name
                self._know(tensor, Value(Activity(path, step, what), shape))
            return out

        return run

    def _check_state(
        self, path: str, name: str, given: torch.Tensor | None, module: Any, x: torch.Tensor
    ) -> None:
        """Refuses states that the neuron did not leave behind itself."""
        calls, shown = self.calls[path], f"module {path} ({type(module).__name__})"
        if given is not None:
            self.states[id(given)] = path, name
        state = getattr(module, name) if given is None else given
        zero = state.shape != x.shape or not state.any()
        if not calls:
            if not zero:
                raise UnsupportedModuleError(f"{shown} begins with a {name} that is not 0, which "
                                             f"hardware does; begin with zeros")
        elif not (torch.equal(calls[-1].states[name], state) if not zero else
                  not calls[-1].states[name].any()):
            raise UnsupportedModuleError(
                f"{shown} gets another {name} in timestep {len(calls)} than it left in the one "
                f"before" + ("; reset states before the loop over timesteps, not inside" if zero
                             else "; states may not be changed between timesteps")
            )

    def _reshaped(
        self, x: torch.Tensor, source: Value, reader: str = ""
    ) -> Modules:
        """The modules of ``source``, and what brings its numbers into the shape of ``x``."""
        shape, modules = tuple(x.shape[1:]), source.modules
        if x.ndim not in (2, 4) or len(x) != self.frames.shape[1]:
            raise LayoutError(f"signals of shape {tuple(x.shape)} reach {reader or 'a pooling'}")
        if not modules:
            match source.origin:
                case Frame():
                    self._check_frame(x, reader)
                case Activity(path, step, "spikes"):
                    if not same(x, self.calls[path][step].spikes):
                        raise UnsupportedModuleError(f"the spikes of module {path} are changed "
                                                     f"before {reader or 'a pooling'} takes them; "
                                                     f"hand them on as they are")
        if shape == source.shape:
            return modules
        view = nn.Flatten() if len(shape) == 1 else nn.Unflatten(1, shape)
        return (*modules, (f"view to {shape}", view))

    def _check_frame(self, x: torch.Tensor, reader: str) -> None:
        """LayoutError if ``x`` is not the frame that ``reader`` has to read next."""
        read = self._reads[reader]
        self._reads[reader] += 1
        number = read if self._frame is None else self._frame
        if number >= len(self.frames):
            raise LayoutError(f"{reader} reads more timesteps than the {len(self.frames)} given")
        if not same(x, self.frames[number]):
            raise LayoutError(f"{reader} reads something else than timestep {number} of the input")

    def _source(self, x: torch.Tensor) -> Value:
        known = self._known(x)
        if known is not None:
            return known
        if not x.any():
            return Value(Nothing(), tuple(x.shape[1:]))
        return _foreign("a tensor that torch did not make of the net's input", [], x)

    def _known(self, x: torch.Tensor) -> Value | None:
        entry = self._values.get(id(x))
        return None if entry is None else entry[1]

    def _know(self, x: torch.Tensor, value: Value) -> torch.Tensor:
        self._values[id(x)] = x, value  # kept, so that no other tensor gets its id
        return x

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        self._inside = True
        try:
            yield
        finally:
            self._inside = False


def _foreign(name: str, sources: Sequence[Value], result: torch.Tensor) -> Value:
    return Value(Foreign(name, _place(), tuple(sources)), tuple(result.shape[1:]))


def _place() -> str:
    """File and line of the user's code that runs."""
    frame = sys._getframe()
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.parent != _HERE and not _LIBRARIES & set(file.parts):
            return f"{file.name}:{frame.f_lineno}"
        frame = frame.f_back
    return "an unknown line"
