"""The rules of Amaranth's streams, as claims and as a check of structure."""

from amaranth.hdl import Cat, Mux, Value
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
