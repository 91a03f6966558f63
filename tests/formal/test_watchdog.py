"""The watchdog barks when nothing has moved for too long, and never at a network that works."""

import pytest
from amaranth.hdl import Module, Signal

from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.rtl.network import Network
from spikewright.gen.rtl.router import SpikeQueue
from spikewright.gen.rtl.watchdog import Watchdog

from .prover import Claims, prove
from .reachability import prove_unbounded


def barks(claims: Claims, dut: Watchdog, inside: Module):
    """Exactly then: after ``limit`` + 1 silent cycles, one after the other."""
    silent = Signal(range(dut.limit + 2))
    with claims.m.If(~dut.waiting | dut.progress):
        claims.m.d.sync += silent.eq(0)
    with claims.m.Elif(silent <= dut.limit):
        claims.m.d.sync += silent.eq(silent + 1)
    claims.always("it barks exactly when too much is silent",
                  dut.wedged == (silent == dut.limit + 1))


@pytest.mark.parametrize("limit", [1, 4, 37])
def test_watchdog(limit):
    prove_unbounded(Watchdog(limit), barks)


def network(timesteps: int = 2) -> Network:
    spec = NetworkSpec(
        input_shape=(1,), timesteps=timesteps,
        layers=(Layer(name="fc", synapse=Linear(weight=[[1]], weight_bits=2),
                      neuron=Neuron(decay=1, decay_fraction=0, threshold=1)),),
    )
    return Network(spec, Folding(), counters=False, watchdog=True)
