"""Inferences that wait in the board's buffer and run without the wire."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.boards import connect
from spikewright.boards.batch import Batch, has_model, parse, predicted, run_batch
from spikewright.boards.host import CounterWords, beat_count, encode_inference
from spikewright.boards.link_simulated import SimulatedLink
from spikewright.boards.protocol import BoardFaultError, Command, Fault, LinkError
from spikewright.gen import Folding, simulate
from spikewright.gen.beats import beats
from spikewright.gen.counters import CYCLE_COUNTERS, decode
from spikewright.gen.errors import SpikewrightError
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.network import Network

from ..gen.examples import exiting, of_everything, two_layers
from ..gen.stalls import run_stalled
from ..gen.strategies import foldings, networks, spike_trains

SPEC = two_layers(inputs=12, hidden=6, classes=3, timesteps=3)
FOLDING = Folding.lanes(2, 3, spec=SPEC)
SPIKES = np.random.default_rng(4).random((4, 3, 12)) < 0.3


@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_cycle_model_knows_inferences_that_overlap(data):
    """Of one that follows another without a pause, and of all passes together."""
    spec = data.draw(networks(max_size=10, features={"conv", "sum_pool", "max_pool", "readouts"}))
    folding, passes = data.draw(foldings(spec)), data.draw(st.integers(1, 3))
    samples = data.draw(spike_trains(spec, 3))
    assert has_model(spec)
    _, _, words = run_stalled(Network(spec, folding), list(samples) * passes, (0, 0), 0)
    counted, of_network = decode(words)
    said = predicted(spec, folding, np.asarray(samples), passes)
    assert said.pop("cycles") == of_network["cycles"]
    assert {name: values.tolist() for name, values in said.items()} == {
        name: counted[name].tolist() for name in (*CYCLE_COUNTERS, "queue_peak")}


def test_a_board_runs_a_batch_as_fast_as_its_network_can():
    with connect(SimulatedLink(SPEC, FOLDING, window=64, buffer=64)) as board:
        for count, passes in ((1, 1), (4, 7)):
            done = run_batch(board, SPEC, FOLDING, SPIKES[:count], passes)
            alone = simulate(SPEC, SPIKES[:count], engine="cycles", folding=FOLDING).cycles.sum()
            said = predicted(SPEC, FOLDING, SPIKES[:count], passes)["cycles"]
            assert done == Batch(count, passes, said, alone, clocked=True, differences=())
        assert done.cycles < done.passes * done.alone
        # Single inferences are as before.
        golden = simulate(SPEC, SPIKES, engine="golden")
        assert [each.scores for each in board.infer(SPEC, SPIKES)] == [
            tuple(each) for each in golden.scores.tolist()]


@pytest.mark.parametrize("spec", [
    exiting(two_layers(inputs=12, hidden=6, classes=3, timesteps=3)),
    pytest.param(of_everything(timesteps=2), marks=pytest.mark.slow)],
    ids=["early exit", "everything"])
def test_results_and_spikes_are_compared_where_there_is_no_model_of_the_clock(spec):
    rng = np.random.default_rng(1)
    samples = (rng.integers(0, 4, (2, 1, spec.inputs)) if spec.input.bits > 1
               else rng.random((2, 3, 12)) < 0.3)
    with connect(SimulatedLink(spec, Folding(), window=64, buffer=128)) as board:
        done = run_batch(board, spec, Folding(), samples, 2)
        assert (done.clocked, done.differences) == (False, ())
        assert done.cycles


def test_what_differs_is_named():
    other = replace(SPEC, layers=(replace(SPEC.layers[0], neuron=replace(
        SPEC.layers[0].neuron, threshold=3)), SPEC.layers[1]))
    with connect(SimulatedLink(other, FOLDING, window=64, buffer=64)) as board:
        board.identity = replace(board.identity, digest=bytes.fromhex(SPEC.digest)[:8])
        found = run_batch(board, SPEC, FOLDING, SPIKES, 2).differences
    assert any("scores" in each for each in found)
    assert any(each.startswith("events_out is") for each in found)


def test_a_batch_that_does_not_fit_is_refused():
    """By the driver, which says how many would; and by the board, which works again."""
    golden = simulate(SPEC, SPIKES, engine="golden")
    expected = [tuple(each) for each in golden.scores.tolist()]
    with connect(SimulatedLink(SPEC, FOLDING, window=64, buffer=32)) as board:
        sizes = np.cumsum([beat_count(SPEC, sample) for sample in SPIKES])
        fit = int((sizes <= 32).sum())
        assert 0 < fit < len(SPIKES)
        with pytest.raises(LinkError, match=f"holds 32; the first {fit} would fit"):
            board.run_batch(SPEC, SPIKES)
        with pytest.raises(LinkError, match="256 passes"):
            board.run_batch(SPEC, SPIKES[:1], 256)
        with pytest.raises(LinkError, match="0 samples"):
            board.run_batch(SPEC, SPIKES[:0])
        board.run_batch(SPEC, SPIKES[:fit], 3)
        long = bytes([Command.GATHER]) + b"".join(
            encode_inference(SPEC, sample) for sample in SPIKES)
        for wrong in (
            long + bytes([Command.RUN, 3]), bytes([Command.RUN, 3]),
            bytes([Command.GATHER, Command.RUN, 0]), b"\x80" + bytes([Command.GATHER]),
            bytes([Command.GATHER]) + encode_inference(SPEC, SPIKES[0]) + b"\x80\x09\x01",
        ):
            with pytest.raises(BoardFaultError, match="batch") as caught:
                board._ask(wrong + bytes([Command.COUNTERS]), CounterWords)
            assert caught.value.faults == Fault.BATCH
            board.reset()
            assert next(board.infer(SPEC, SPIKES)).scores == expected[0]


@pytest.mark.parametrize("wait", [0, pytest.param(300, marks=pytest.mark.slow), 1500])
def test_reset_ends_a_batch_that_runs(wait):
    """In the midst of an inference as well."""
    golden = simulate(SPEC, SPIKES, engine="golden")
    trace = simulate(SPEC, SPIKES[:1], folding=FOLDING)
    with connect(SimulatedLink(SPEC, FOLDING, window=64, buffer=64)) as board:
        whole = b"".join(encode_inference(SPEC, sample) for sample in SPIKES)
        board._ask(bytes([Command.GATHER]) + whole + bytes([Command.PING]), object)
        board.link.send(board._frames.commands(bytes([Command.RUN, 255, Command.COUNTERS])))
        board.link.receive(wait / 20_000)
        begun = board.link.cycles
        board.reset()
        # One inference at most, and the bytes of RESET and READY.
        assert board.link.cycles - begun < 4_000
        assert next(board.infer(SPEC, SPIKES)).scores == tuple(golden.scores[0].tolist())
        assert board.counters().cycles == trace.cycles[0]


def test_beats_are_counted_as_they_are_sent():
    for ways in (1, 3):
        folding = Folding(layers=(("fc1", LayerFolding(ways=ways)),))
        plan = layer_plans(SPEC, folding)[0]
        for sample in SPIKES:
            assert beat_count(SPEC, sample, ways) == len(list(beats(plan, sample)))


@pytest.mark.parametrize(("text", "found"), [("4", (4, 100)), ("4x1", (4, 1)), ("1x255", (1, 255))])
def test_batches_as_they_are_written(text, found):
    assert parse(text) == found


@pytest.mark.parametrize("text", ["0", "", "x3", "3x", "3x0", "3x256", "-1", "3x3x3", "3.5"])
def test_what_is_no_batch_is_refused(text):
    with pytest.raises(SpikewrightError, match="N or NxPASSES"):
        parse(text)
