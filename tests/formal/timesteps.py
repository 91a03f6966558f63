"""One timestep out of any number, followed from the rows that enter to the beats that leave."""

from dataclasses import dataclass

from amaranth.hdl import Signal, Value

from spikewright.gen.rtl.router import TIMESTEPS

from .prover import Claims


@dataclass(frozen=True)
class Timestep:
    """Which rows and beats are the timestep's. It is any one, because ``look`` is free; claims that
    hold for it hold for each.

    Attributes
    ----------
    enters
        A row that enters now is one of its rows.
    entered
        All its rows are in.
    leaves
        A beat that is offered now has to be one of its beats.
    under_way
        Timesteps begun and not left.
    """

    enters: Value
    entered: Value
    leaves: Value
    under_way: Value


def look_at_one(claims: Claims, *, first: Value, last: Value, left: Value) -> Timestep:
    """A timestep whose ``first`` or ``last`` row enters now, or whose last beat has ``left``."""
    m, look = claims.m, claims.any(1, "look")
    under_way, ahead = Signal(range(TIMESTEPS + 2)), Signal(range(TIMESTEPS + 2))
    chosen, open_, gone = Signal(), Signal(), Signal()
    begins = Signal()
    m.d.comb += begins.eq(first & look & ~chosen)
    m.d.sync += [
        under_way.eq(under_way + first - left), chosen.eq(chosen | begins),
        open_.eq((begins | open_) & ~last),
    ]
    with m.If(begins):
        m.d.sync += ahead.eq(under_way - left)
    with m.Elif(chosen & left):
        m.d.sync += [ahead.eq(ahead - 1), gone.eq(gone | (ahead == 0))]
    return Timestep(enters=begins | open_, entered=chosen & ~open_,
                    leaves=chosen & ~gone & (ahead == 0), under_way=under_way)
