"""Early exit: the same decisions in fewer cycles, and exactly the timesteps that were begun."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Folding,
    Input,
    InputKind,
    Linear,
    SpikewrightError,
    first_difference,
    simulate,
)
from spikewright.gen.rtl.exit import EarlyExit
from spikewright.gen.rtl.network import Network
from spikewright.gen.rtl.readout import ScoreReadout
from spikewright.gen.rtl.streams import EventLayout

from .examples import exiting, two_layers
from .stalls import run_stalled
from .strategies import BUILT, foldings, networks, spike_trains
from .streams import check_stream


def exiting_networks(**how):
    """There is no hardware for all-to-all recurrence on a held input."""
    return st.one_of([networks(features=BUILT - {"li", "readouts", lacking}, **how)
                      for lacking in ("recurrent", "current")]).map(exiting)


def assert_equal(spec, signals, folding=None):
    """Hardware against the cycle model, and against golden of the timesteps that hardware
    processed and of all of them."""
    hardware = simulate(spec, signals, engine="amaranth", membranes=True, folding=folding)
    names = [layer.name for layer in spec.layers]
    for timesteps in (hardware.timesteps, None):
        golden = simulate(spec, signals, engine="golden", membranes=True, timesteps=timesteps)
        difference = first_difference(golden, hardware, names)
        assert difference is None, str(difference)
    model = simulate(spec, signals, engine="cycles", membranes=True, folding=folding)
    difference = first_difference(model, hardware, names)
    assert difference is None, str(difference)
    assert (model.timesteps == hardware.timesteps).all()
    whole = replace(spec, readout=replace(spec.readout, early_exit=False))
    assert (simulate(whole, signals, engine="golden").prediction == hardware.prediction).all()
    return hardware


def check_networks(data, samples, **how):
    spec = data.draw(exiting_networks(**how))
    trace = assert_equal(spec, data.draw(spike_trains(spec, samples)), data.draw(foldings(spec)))
    deciding = spec.timesteps - trace.scores.max(axis=1)  # T without a spike
    assert (trace.timesteps >= np.minimum(deciding + 1, spec.timesteps)).all()
    assert (trace.timesteps[deciding == spec.timesteps] == spec.timesteps).all()


@settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_computes_what_golden_does_in_the_timesteps_that_were_begun(data):
    check_networks(data, 2)


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_computes_what_golden_does_in_the_timesteps_that_were_begun_long(data):
    check_networks(data, 3, max_layers=4, max_size=24)


def decided_at(timestep, *, timesteps):
    """Two layers, and samples that are silent before ``timestep``, when a neuron fires."""
    spec = exiting(two_layers(timesteps=timesteps))
    signals = np.zeros((3, timesteps, spec.inputs), bool)
    signals[:, timestep:] = True
    first = replace(spec.layers[0], synapse=Linear(
        weight=np.full(spec.layers[0].synapse.weight.shape, 3), weight_bits=4))
    last = replace(spec.layers[1], synapse=Linear(
        weight=np.eye(5, 12, k=2, dtype=int) * 7, weight_bits=4, weight_shift=3))
    layers = tuple(replace(layer, neuron=replace(layer.neuron, bias=0)) for layer in (first, last))
    return replace(spec, layers=layers), signals


@pytest.mark.parametrize("timestep", [0, 2, 18, 19])
def test_a_decision_saves_the_cycles_of_the_timesteps_behind_it(timestep):
    spec, signals = decided_at(timestep, timesteps=20)
    early = assert_equal(spec, signals)
    whole = simulate(replace(spec, readout=replace(spec.readout, early_exit=False)), signals,
                     engine="amaranth")
    assert early.scores.tolist() == [[20 - timestep] * 5] * 3
    assert (early.decision == whole.decision).all()
    timesteps, cycles, most = map(np.asarray, (early.timesteps, early.cycles, whole.cycles))
    # Two timesteps may wait between two layers, and each layer works on one.
    assert (timesteps <= min(20, timestep + 5)).all()
    if timestep == 2:
        assert (2 * cycles < most).all()
    if timestep >= 18:
        assert (cycles == most).all()
    assert (cycles <= most).all()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_held_input_is_swept_no_more_once_decided(layers):
    spec = two_layers(timesteps=30)
    spec = exiting(replace(spec, input=Input(kind=InputKind.CURRENT, bits=4),
                           layers=spec.layers[:layers]))
    images = np.random.default_rng(0).integers(0, 16, (4, 1, spec.inputs))
    trace = assert_equal(spec, images, Folding.lanes(*[4] * layers, spec=spec))
    assert (np.asarray(trace.timesteps) < 12).all()
    assert trace.scores.any(axis=1).all()


@settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_stalls_change_only_how_many_timesteps_are_processed(data):
    """Random pauses of source and sink, inferences back to back: all beats are taken, and every
    result is right."""
    spec = data.draw(exiting_networks(max_size=10))
    signals = data.draw(spike_trains(spec, 4))
    golden = simulate(spec, signals, engine="golden")
    network = Network(spec, data.draw(foldings(spec)))
    pauses = [data.draw(st.sampled_from([0.0, 0.3, 0.9])) for _ in range(2)]
    scores, winners, _ = run_stalled(network, signals, pauses, data.draw(st.integers(0, 1 << 16)))
    assert (scores == golden.scores).all()
    assert (winners == golden.prediction).all()


class Decided(wiring.Component):
    """An early exit before something that decides when its tick number ``tick`` passed."""

    def __init__(self, tick):
        self.tick = tick
        self.exit = EarlyExit(EventLayout(4))
        beat = stream.Signature(EventLayout(4))
        super().__init__({"i": In(beat), "o": Out(beat)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.exit = exit = self.exit
        wiring.connect(m, wiring.flipped(self.i), exit.i)
        wiring.connect(m, exit.o, wiring.flipped(self.o))
        ticks, wait = Signal(8), Signal(4)
        passed = self.o.valid & self.o.ready & self.o.payload.tick
        m.d.comb += exit.taken.eq(wait == 1)
        with m.If(passed):
            m.d.sync += ticks.eq(ticks + 1)
            with m.If(ticks == self.tick):
                m.d.sync += exit.decided.eq(1)
            with m.If(self.o.payload.last):
                m.d.sync += wait.eq(7)
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(exit.taken):
            m.d.sync += [ticks.eq(0), exit.decided.eq(0)]
        return m


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0.5), (0.1, 0.8), (0.8, 0.1)])
@pytest.mark.parametrize("tick", [0, 2, 4, 9])
def test_beats_of_whole_timesteps_pass_until_the_one_after_the_decision(tick, stalls):
    """Timesteps of two beats: the one after the decision begins, at the earliest, with it."""
    sent, expected = [], []
    for inference in range(4):
        for t in range(6):
            ends = [(0, 0), (1, int(t == 5))]
            for tick_here, last in ends:
                beat = {"slots": [{"event": 1, "address": (t + inference) % 16}],
                        "tick": tick_here, "last": last}
                sent.append(beat)
                if t <= tick + 1:
                    expected.append({**beat, "last": int(tick_here and t in (tick + 1, 5))})
    check_stream(Decided(tick), sent, expected, stalls=stalls)


def test_hardware_that_exits_too_early_is_found(monkeypatch):
    spec, signals = decided_at(3, timesteps=8)
    right = ScoreReadout.elaborate

    def hasty(self, platform):
        m = right(self, platform)
        with m.If(self.i.valid):
            m.d.sync += self.decided.eq(1)
        return m

    monkeypatch.setattr(ScoreReadout, "elaborate", hasty)
    with pytest.raises(AssertionError, match="score at sample 0, neuron 0: golden has 5"):
        assert_equal(spec, signals)


@pytest.mark.parametrize(("spec", "engine", "timesteps", "message"), [
    (two_layers(), "golden", [8, 8], "snn never exits early, so it runs all; leave them out"),
    (exiting(two_layers()), "golden", [8], "one integer from 1 to 8 is needed for each of the 2"),
    (exiting(two_layers()), "golden", [8, 9], "one integer from 1 to 8"),
    (exiting(two_layers()), "golden", [0, 8], "one integer from 1 to 8"),
    (exiting(two_layers()), "golden", [1.5, 2], "one integer from 1 to 8"),
    (exiting(two_layers()), "amaranth", [8, 8], "engine amaranth decides itself"),
])
def test_timesteps_that_mean_nothing_are_refused(spec, engine, timesteps, message):
    with pytest.raises(SpikewrightError, match=message):
        simulate(spec, np.zeros((2, 8, 20)), engine=engine, timesteps=timesteps)


def test_a_check_of_a_net_that_exits_early_compares_counters_too(accelerator):
    spec, signals = decided_at(2, timesteps=8)
    chip = accelerator(spec)
    chip.assert_equal(signals)
    assert chip.trace.timesteps.max() < 8
    chip.trace.counters["events_in"][0, 0] += 1
    golden = simulate(spec, signals, engine="golden", timesteps=chip.trace.timesteps)
    assert "counter events_in" in str(first_difference(golden, chip.trace))
