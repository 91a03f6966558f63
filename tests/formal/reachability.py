"""Proofs of what a component always does, by property-directed reachability: what induction needs
to know besides the claims is found by the prover and not by hand.

It is IC3 (Bradley, VMCAI 2011) as Eén, Mishchenko and Brayton built it into ABC (FMCAD 2011), which
is a part of Yosys. It needs the claims only, and no cycle of the proof is bounded. On wide data it
takes long: there :func:`~.prover.prove` with invariants by hand is the way.
"""

import re
from collections.abc import Callable

from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring

from .prover import Claims, RefutedError, inputs, leaves, prove, with_claims, yosys

#: From words to gates and flip-flops that begin with 0. ABC prints into files only.
TO_ABC = r"""
opt -full
zinit
techmap
opt
simplemap
dffunmap
opt_clean
delete t:$scopeinfo
select -assert-none t:* t:$_* t:$anyseq %u %d
abc -dff -script abc.script
"""

#: What has no first value begins with any. The last word is for what is left without flip-flops,
#: which the search does not take.
SEARCH = """strash
undc
scorr
dc2
pdr -T {seconds}
sat
write_status answer
"""


class UndecidedError(AssertionError):
    """Neither proven nor refuted in the time given: make the component smaller, or claim what helps
    on the way."""


def prove_unbounded(
    dut: wiring.Component,
    specify: Callable[[Claims, wiring.Component, Module], None],
    *,
    seconds: int = 120,
):
    """Proves for all inputs, and for any number of cycles after reset, what ``specify`` claims.

    Parameters
    ----------
    dut, specify
        As of :func:`~.prover.prove`.
    seconds : int
        Longest search.

    Raises
    ------
    RefutedError
        If a claim is false.
    UndecidedError
        If the search took too long.
    """
    m, clock, claims = with_claims(dut, specify)
    kept, so_far, broken = Signal(), Signal(init=1), Signal(name="broken")
    m.d.comb += [
        kept.eq(so_far & Cat(claims.assumed).all()),
        broken.eq(kept & ~Cat(claims.claimed.values()).all()),
    ]
    m.d.sync += so_far.eq(kept)
    driven = inputs(dut)
    ports = {name: (value, None) for name, value in leaves(dut).items()
             if name in driven and len(value)}
    ports |= {signal.name: (signal, None) for signal in claims.free.values()}
    text = rtlil.convert(m, name="top", ports={
        "clk": (clock, None), broken.name: (broken, None), **ports})
    output = yosys(text, TO_ABC, allowed_to_fail=True,
                   files={"abc.script": SEARCH.format(seconds=seconds)})
    # Then the cycles searched and, of a run that breaks a claim, the output and the last cycle.
    found = re.search(r"^snl_(UNSAT|SAT|UNK) (-?\d+)(?: \S+ \d+ (\d+))?", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"ABC gave no answer:\n{output[-4000:]}")
    answer, searched, last = found.groups()
    if answer == "UNK":
        raise UndecidedError(f"no answer in {seconds} s; no run of {searched} cycles is wrong")
    if answer == "SAT":
        # Tells the story, cycle by cycle.
        prove(dut, specify, steps=int(last or 0) + 1, from_reset=True)
        raise RuntimeError("ABC refutes what Yosys proves")


def assert_possible(
    dut: wiring.Component,
    specify: Callable[[Claims, wiring.Component, Module], None],
    condition: Callable[[wiring.Component], Value],
    *,
    seconds: int = 120,
):
    """What ``specify`` assumes lets ``condition`` come true, so its claims are not empty."""

    def never(claims: Claims, dut: wiring.Component, inside: Module):
        specify(claims, dut, inside)
        claims.claimed.clear()
        claims.always("never", ~condition(dut))

    try:
        prove_unbounded(dut, never, seconds=seconds)
    except RefutedError:
        return
    raise AssertionError("under these assumptions it never happens")
