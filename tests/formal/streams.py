"""The rules of Amaranth's streams, as claims and as a check of structure."""

from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import wiring

from spikewright.gen.rtl.streams import EventLayout

from .prover import Claims, leaves, to_rtlil, yosys


def meaning(payload) -> Value:
    """The payload as a number; of a beat of events, without what means nothing: the fields of slots
    that hold no event."""
    if isinstance(getattr(payload, "shape", lambda: None)(), EventLayout):
        return Cat(*(Mux(slot.event, slot.as_value(), 0) for slot in payload.slots),
                   payload.tick, payload.last & payload.tick)
    return Value.cast(payload)


def _kept(claims: Claims, stream):
    """Nothing offered in the cycle before was withdrawn or changed before it was taken."""
    waiting = claims.past(stream.valid & ~stream.ready)
    offered = meaning(stream.payload)
    return ~waiting | (stream.valid & (offered == claims.past(offered)))


def assume_source(claims: Claims, stream):
    """Whoever sends on ``stream`` keeps the rules."""
    claims.assume(_kept(claims, stream))


def claim_source(claims: Claims, stream, name: str = "o"):
    """The component keeps the rules on its output ``stream``."""
    claims.always(f"{name} keeps what it offers", _kept(claims, stream))


def claim_same(claims: Claims, entering, leaving, most: int, name: str = "o"):
    """Whichever payload is looked at: it leaves once, as it was, behind those that entered before
    it and before those that entered after it; nothing else leaves.

    The payload is the one of the first transfer with ``{name}_look``, which is free. At most
    ``most`` payloads are held.
    """
    m = claims.m
    look = claims.any(1, f"{name}_look")
    held, ahead = Signal(range(most + 2), name=f"{name}_held"), Signal(range(most + 1))
    looking, gone = Signal(name=f"{name}_looking"), Signal()
    seen = Signal(len(meaning(entering.payload)), name=f"{name}_seen")
    enters, leaves = entering.valid & entering.ready, leaving.valid & leaving.ready
    m.d.sync += held.eq(held + enters - leaves)
    with m.If(enters & look & ~looking):
        m.d.sync += [looking.eq(1), seen.eq(meaning(entering.payload)), ahead.eq(held - leaves)]
    with m.If(looking & leaves):
        m.d.sync += [ahead.eq(ahead - 1), gone.eq(gone | (ahead == 0))]
    due = looking & ~gone & (ahead == 0)
    claims.always(f"{name} offers what entered", ~leaving.valid | (held != 0))
    claims.always(f"{name} holds no more than {most}", held <= most)
    claims.always(f"{name} leaves as it entered",
                  ~(leaving.valid & due) | (meaning(leaving.payload) == seen))


def assert_offers_without_asking(dut: wiring.Component, name: str = "o"):
    """No combinational path leads from ``ready`` of the output to its ``valid`` or payload.

    A producer must not wait for ``ready``; a path through a register is not looked for.
    """
    text, _ = to_rtlil(dut)
    offered = [member for member in leaves(dut)
               if member == f"{name}__valid" or member.startswith(f"{name}__payload")]
    assert f"{name}__valid" in offered
    cone = " ".join(f"w:{member} %ci*:-$dff,$anyseq" for member in offered)
    union = " ".join(["%u"] * (len(offered) - 1))
    output = yosys(text, f"select -list {cone} {union} w:{name}__ready %i")
    assert f"top/{name}__ready" not in output, f"{name}.ready leads to {', '.join(offered)}"
