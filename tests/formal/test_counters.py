"""Counters are exact: whatever is counted, read and cleared, and however long."""

import pytest
from amaranth.hdl import Array, Module, Mux, Signal

from spikewright.gen.counters import Counter
from spikewright.gen.rtl import counters as rtl
from spikewright.gen.rtl.counters import Counters, LayerEvents

from .prover import Claims, RefutedError, internal, prove

SMALL = (Counter("events", ""), Counter("idle", "", active=True), Counter("highest", "", peak=True))

NETWORK = (Counter("cycles", "", active=True), Counter("early", "", active=True))


@pytest.fixture(autouse=True)
def few_counters(monkeypatch):
    monkeypatch.setattr(rtl, "COUNTERS", SMALL)
    monkeypatch.setattr(rtl, "NETWORK_COUNTERS", NETWORK)
    monkeypatch.setattr(rtl, "COUNTER_BITS", 7)


def exact(claims: Claims, dut: Counters, inside: Module):
    """Every word that passes is exact, asked for or not.

    The word that is counted on was written a round ago, so this is inductive over a round.
    """
    m = claims.m
    true = [Signal(7, name=f"true_{n}") for n in range(dut.words)]
    amounts = []
    for n, layer in enumerate(dut.layers):
        for counter in SMALL:
            amount = getattr(getattr(dut, f"layer_{n}"), counter.name)
            claims.assume(amount <= layer.most[counter.name])
            amounts.append((amount, counter))
    for value, (amount, counter) in zip(true, amounts, strict=False):
        if counter.peak:
            following = Mux(amount > value, amount, value)
        else:
            following = value + Mux(dut.active, amount, 0 if counter.active else amount)
        m.d.sync += value.eq(Mux(dut.clear, 0, following))
    for value, counts in zip(true[-len(NETWORK):], (1, dut.undecided), strict=True):
        m.d.sync += value.eq(Mux(dut.clear, 0, value + (dut.active & counts)))

    turn_before = internal(inside, "turn_before")
    turn = internal(inside, "turn")
    claims.always("turns pass round", (turn < dut.words) & (turn_before < dut.words))
    claims.always("a turn follows the one before", ~claims.begun | (turn == 0)
                  | (turn == turn_before + 1))
    claims.always("every word is exact", ~claims.begun
                  | (dut.data == claims.past(Array(true)[turn])))
    claims.always("who asks is told", dut.valid == claims.past(dut.read & (dut.address == turn)))

    # Strengthening: the flip-flops hold the lowest bits.
    names = [f"layer_{n}_{counter.name}" for n in range(len(dut.layers)) for counter in SMALL]
    names += [counter.name for counter in NETWORK]
    for name, value in zip(names, true, strict=True):
        low = internal(inside, name)
        claims.always(f"low bits of {name}", low == value[:len(low)])
        if name.endswith("highest"):
            claims.always(f"no more in {name}", value == low)


@pytest.mark.parametrize("most", [[{}], [{"events": 5, "highest": 6}], [{}, {"idle": 3}]])
def test_every_word_is_exact(most):
    dut = Counters([LayerEvents(**layer) for layer in most])
    prove(dut, exact, steps=dut.words + 4)


def test_low_bits_too_few_by_one_are_refuted(monkeypatch):
    width = Counters._low_width
    monkeypatch.setattr(Counters, "_low_width", staticmethod(
        lambda most, words: width(most, words) - 1))
    dut = Counters([LayerEvents()])
    with pytest.raises(RefutedError, match="every word is exact"):
        prove(dut, exact, steps=3 * dut.words)
