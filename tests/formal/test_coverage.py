"""No component with a stream goes without a proof.

Components are found, not listed: every one that the packages define has to occur in the designs
built here, because only an instance tells what ports it has; and a proof has to name every one that
has a stream.
"""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.lib import stream, wiring

from spikewright import boards
from spikewright.boards.spi import SpiPeripheral
from spikewright.boards.top import LinkedAccelerator, SerialAccelerator
from spikewright.gen import Folding, rtl
from spikewright.gen.folding import LayerFolding
from spikewright.gen.rtl.axi import AxiNetwork

from ..gen.examples import exiting, of_everything, two_layers

PROVERS = {"prove", "prove_unbounded"}


def defined() -> set[type]:
    """Every component of the hardware packages."""
    found = set()
    for package in (rtl, boards):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for thing in vars(importlib.import_module(module.name)).values():
                # One that is abstract has nothing to elaborate.
                if (isinstance(thing, type) and issubclass(thing, wiring.Component)
                        and thing.__module__ == module.name and hasattr(thing, "elaborate")):
                    found.add(thing)
    return found


def named_by_proofs() -> set[str]:
    """What modules import that prove something."""
    names = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {node.func.id for node in ast.walk(tree)
                  if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        if called & PROVERS:
            names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                      for alias in node.names}
    return names


def has_stream(component: wiring.Component) -> bool:
    return any(isinstance(member.signature, stream.Signature)
               for member in component.signature.members.values() if member.is_port is False)


@pytest.fixture(scope="module")
def built() -> dict[type, bool]:
    """Whether an instance has a stream, of each component in designs that have everything."""
    found: dict[type, bool] = {}
    initialise = wiring.Component.__init__

    def note(self, *given, **named):
        initialise(self, *given, **named)
        found[type(self)] = found.get(type(self), False) or has_stream(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring.Component, "__init__", note)
        wide = Folding(layers={"fc1": LayerFolding(units=20, protect="ecc")})
        for spec, folding in ((of_everything(), Folding()),
                              (exiting(two_layers(hidden=40)), wide)):
            top = SerialAccelerator(spec, folding, divisor=4, window=4, buffer=4, watchdog=True)
            rtlil.convert(top, ports=[top.rx, top.tx, top.active])
        linked = LinkedAccelerator(two_layers(), Folding(), SpiPeripheral(), window=4, buffer=4,
                                   observe=True)
        rtlil.convert(linked, ports=[linked.cipo, linked.active])
        rtlil.convert(AxiNetwork(two_layers(), Folding()))
    return found


def test_every_component_is_looked_at(built):
    missing = sorted(component.__name__ for component in defined() - set(built))
    assert not missing, f"{', '.join(missing)}: add a design to `built` that has them"


def test_every_component_with_a_stream_is_proven(built):
    streaming = {component for component, has in built.items() if has} & defined()
    assert len(streaming) > 15
    missing = sorted(component.__name__ for component in streaming
                     if component.__name__ not in named_by_proofs())
    assert not missing, f"{', '.join(missing)}: prove the stream contract in tests/formal"
