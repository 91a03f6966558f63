"""Proofs of what a component always does, by temporal induction, with Yosys alone."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Module, Signal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikewright.boards.toolchain import find_tool

#: What a memory returns for a word that is written in the same cycle differs from one technology to
#: the next, so nothing may depend on it: here it is arbitrary.
PREPARE = r"""
read_rtlil design.il
hierarchy -top top
proc
memory_dff
setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:COLLISION_X_MASK=1'0 %i r:CLK_ENABLE=1'1 %i
prep -flatten -top top
memory_map
setundef -anyseq
async2sync
chformal -lower
dffunmap
opt_clean
"""


class RefutedError(AssertionError):
    """A claim is wrong: the message shows how it is broken, cycle by cycle from reset."""


class NotInductiveError(AssertionError):
    """No run from reset breaks a claim within the steps tried, but claims do not imply themselves:
    the message shows states that keep all of them for so many cycles and then break one. Claim what
    rules these states out."""


class Claims:
    """What is assumed of a component's surroundings and claimed of itself, in every cycle.

    Attributes
    ----------
    m : Module
        For registers that remember what happened.
    """

    def __init__(self, m: Module):
        self.m = m
        #: False in the first cycle.
        self.begun = Signal(name="begun")
        m.d.sync += self.begun.eq(1)
        self.assumed: list[Signal] = []
        self.claimed: dict[str, Signal] = {}
        self.free: dict[str, Signal] = {}

    def assume(self, value):
        holds = Signal(name=f"assumption_{len(self.assumed)}")
        self.m.d.comb += holds.eq(Value.cast(value).bool())
        self.assumed.append(holds)

    def always(self, claim: str, value):
        """``value`` is true in every cycle; ``claim`` names it where it is not."""
        holds = Signal(name=re.sub(r"\W+", "_", claim))
        self.m.d.comb += holds.eq(Value.cast(value).bool())
        assert claim not in self.claimed, f"{claim!r} is claimed twice"
        self.claimed[claim] = holds

    def past(self, value) -> Signal:
        """``value`` of the cycle before; 0 in the first."""
        value = Value.cast(value)
        before = Signal(value.shape())
        self.m.d.sync += before.eq(value)
        return before

    def any(self, width: int, name: str) -> Signal:
        """Some number, in every cycle another: what is claimed of it holds for each."""
        number = self.free[name] = Signal(width, name=name)
        return number

    def fixed(self, width: int, name: str) -> Signal:
        """Some number, the same in every cycle: what is claimed of it holds for each."""
        number = self.any(width, name)
        self.assume(~self.begun | (number == self.past(number)))
        return number


def internal(inside: Module, name: str) -> Signal:
    """The signal called ``name`` that the module drives, for invariants about what has no port."""
    driven = inside._driving  # which the stubs do not know, because it is private
    found = {signal.name: signal for signal in driven}  # pyright: ignore[reportGeneralTypeIssues]
    if name not in found:
        raise KeyError(f"no signal {name} is driven here; there are {', '.join(sorted(found))}")
    return found[name]


def leaves(component: wiring.Component) -> dict[str, Value]:
    """Members of the component's signature, those of interfaces included, by name."""
    return {
        "__".join(map(str, path)): Value.cast(value)
        for path, _, value in component.signature.flatten(component)
    }


def with_claims(dut: wiring.Component, specify: Callable | None = None):
    """``dut`` with free inputs, and the claims of ``specify`` about it: the module around it, its
    clock and the claims."""
    m = Module()
    m.domains.sync = sync = ClockDomain(reset_less=True)
    inside = dut.elaborate(None)
    dut.elaborate = lambda platform: inside  # what claims look into is what is proven
    m.submodules.dut = dut
    claims = Claims(m)
    if specify is not None:
        specify(claims, dut, inside)
    return m, sync.clk, claims


def inputs(dut: wiring.Component) -> set[str]:
    """Names of the :func:`leaves` that others drive."""
    return {"__".join(map(str, path)) for path, member, _ in dut.signature.flatten(dut)
            if member.flow is In}


def to_rtlil(dut: wiring.Component, specify: Callable | None = None):
    """RTLIL of :func:`with_claims` for Yosys' own SAT solver."""
    m, clock, claims = with_claims(dut, specify)
    m.d.comb += [Assume(holds, None) for holds in claims.assumed]
    m.d.comb += [Assert(holds, None) for holds in claims.claimed.values()]
    # An output that nothing drives is constant, and not an input of the proof.
    driven = inputs(dut)
    ports = {name: (value, PortDirection.Input if name in driven else PortDirection.Output)
             for name, value in leaves(dut).items() if len(value)}
    ports |= {signal.name: (signal, None)
              for signal in (*claims.free.values(), *claims.claimed.values())}
    return rtlil.convert(m, name="top", ports={"clk": (clock, None), **ports}), claims


def prove(
    dut: wiring.Component,
    specify: Callable[[Claims, wiring.Component, Module], None],
    *,
    steps: int = 20,
    from_reset: bool = False,
):
    """Proves for all inputs, and for any number of cycles after reset, what ``specify`` claims.

    Parameters
    ----------
    dut : wiring.Component
    specify : function of Claims, dut and the module that dut elaborates to
        Submodules of the latter are at hand for invariants.
    steps : int
        Longest induction tried: claims that held in so many cycles hold in the next.
    from_reset : bool
        Weaker: only that claims hold in the first ``steps`` cycles after reset.

    Raises
    ------
    RefutedError
        If a claim is false.
    NotInductiveError
        If the claims are neither proven nor refuted.
    """
    text, claims = to_rtlil(dut, specify)
    base_only = "-tempinduct-baseonly" if from_reset else ""
    output = yosys(text, f"sat -verify -prove-asserts -set-assumes -tempinduct {base_only} "
                         f"-maxsteps {steps} -show-ports", allowed_to_fail=True)
    if "SUCCESS!" in output:
        return
    refuted = "SAT temporal induction proof finished - model found for base case: FAIL!" in output
    story = "\n".join([_broken(output, claims), *_table(output)])
    if refuted:
        raise RefutedError(story)
    if "proof failed" not in output:
        raise RuntimeError(f"Yosys neither proved nor refuted:\n{output[-4000:]}")
    raise NotInductiveError(f"not proven by induction over {steps} cycles\n{story}")


@cache
def _yosys_path() -> str:
    return find_tool("yosys").path


def yosys(text: str, command: str, *, allowed_to_fail: bool = False,
          files: Mapping[str, str] = MappingProxyType({})) -> str:
    """What Yosys prints when it runs ``command`` on the RTLIL ``text``, flat and without memories,
    beside ``files``. What ``command`` leaves in a file ``answer`` follows.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"design.il": text, **files}.items():
            Path(folder, name).write_text(content)
        Path(folder, "run.ys").write_text(PREPARE + command + "\n")
        done = subprocess.run(
            [_yosys_path(), "-Q", "-T", "-s", "run.ys"], cwd=folder, text=True, timeout=600,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ,
        )
        if done.returncode != 0 and not allowed_to_fail:
            raise RuntimeError(f"Yosys failed:\n{done.stdout[-4000:]}")
        answer = Path(folder, "answer")
        return done.stdout + (answer.read_text() if answer.exists() else "")


def _model(output: str) -> dict[str, dict[int, str]]:
    """Signal → cycle → value in hexadecimal, of the model that Yosys found."""
    model: dict[str, dict[int, str]] = {}
    for time, name, number in re.findall(
        r"^\s+(\d+) \\(\S+)\s+\S+\s+(\S+)\s+[01x]+\s*$", output, re.MULTILINE
    ):
        model.setdefault(name, {})[int(time)] = number
    return model


def _broken(output: str, claims: Claims) -> str:
    model = _model(output)
    broken = [claim for claim, signal in claims.claimed.items()
              if "0" in list(model.get(signal.name, {}).values())[-1:]]
    return f"broken in the last cycle: {'; '.join(broken)}"


def _table(output: str) -> list[str]:
    model = _model(output)
    cycles = sorted({cycle for values in model.values() for cycle in values})
    name_width = max(map(len, model), default=0)
    widths = [max([len(str(cycle)), *(len(values.get(cycle, "")) for values in model.values())])
              for cycle in cycles]

    def line(name: str, cells: Iterable[str]) -> str:
        return name.ljust(name_width) + "".join(
            f" {cell:>{width}}" for cell, width in zip(cells, widths, strict=True)
        )

    return [line("cycle", map(str, cycles)), *(
        line(name, (values.get(cycle, "") for cycle in cycles))
        for name, values in sorted(model.items())
    )]
