"""Virtual boards: the driver, and any serial program, talk to them as to real ones."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikewright.boards import connect, play_links
from spikewright.boards.answers import trace
from spikewright.boards.batch import predicted
from spikewright.boards.loads import board_image
from spikewright.boards.play import prepare
from spikewright.boards.protocol import LinkError, WrongBitstreamError, short, wire_addresses
from spikewright.boards.registry import find_board
from spikewright.boards.target import Target
from spikewright.boards.uart import BaudError
from spikewright.boards.virtual import VirtualBoard
from spikewright.gen import (
    Conv2d,
    Folding,
    Layer,
    NetworkSpec,
    Neuron,
    Stimulus,
    simulate,
)
from spikewright.gen.errors import ToolError
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.folding_options import to_json
from spikewright.gen.plan import layer_plans
from spikewright.gen.runfolder import write_json
from spikewright.gen.trace import first_difference
from spikewright.gen.training import shape_digest

from ..gen.examples import two_layers
from ..gen.trainings import another

# One process compiles what they share.
pytestmark = pytest.mark.xdist_group("virtual")

CLIENT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "client.py"

SPEC = two_layers(inputs=12, hidden=6, classes=3, timesteps=4)
#: Everything can be loaded, and there are two ways into the first layer.
LOADED = {"storage": Storage.LOADABLE, "parameters": Storage.LOADABLE}
FOLDING = Folding.each(LayerFolding(lanes=2, ways=2, **LOADED), LayerFolding(lanes=3, **LOADED),
                       spec=SPEC)
IMAGE = board_image(SPEC, FOLDING, SPEC)
OTHER = another(SPEC, FOLDING)
BOARD = find_board("icebreaker")
SPIKES = np.random.default_rng(3).random((20, 4, 12)) < 0.4


@pytest.fixture(scope="module", autouse=True)
def _quickly_compiled():
    """These nets are too small to be worth the optimiser's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spikewright.boards.virtual.OPTIMISE", 0)
        yield


@pytest.fixture
def board():
    with VirtualBoard(SPEC, BOARD, FOLDING) as made:
        yield made


def expect_golden(answers, samples=SPIKES, spec=SPEC):
    reference = simulate(spec, samples, engine="cycles", folding=FOLDING)
    said = trace("virtual", layer_plans(SPEC, FOLDING), answers)
    assert not said.spilled.any()
    assert first_difference(reference, said) is None
    assert set(said.counters) == set(reference.counters)


def test_the_driver_gets_golden_results_through_the_terminal(board):
    with connect(board.device) as line:
        assert line.identity.clock_hz == BOARD.clock_hz
        line.load(IMAGE)
        expect_golden(list(line.observe(SPEC, SPIKES)))
    served = board.close()
    assert served.dropped == 0
    # Every bit lasts as long as on the board.
    assert served.cycles >= served.received * 10 * BOARD.divisor
    assert board.close() == served


def test_one_program_after_the_other(board):
    """Each hangs up wherever it likes, and the weights that one loaded serve the next."""
    with connect(board.device) as line:
        line.load(IMAGE)
    for cut in (b"\0", b"\x05", b"\x02\x41\x01\x85\x93\0\x01\x01"):
        port = os.open(board.device, os.O_WRONLY | os.O_NOCTTY)
        os.write(port, cut)
        os.close(port)
        with connect(board.device) as line:
            expect_golden(list(line.observe(SPEC, SPIKES[:2])), SPIKES[:2])


def test_one_training_after_the_other(board):
    """The board says whose it carries; a load that was broken off is nobody's."""
    with connect(board.device) as line:
        assert line.identity.carries(SPEC)
        assert line.identity.shape == short(shape_digest(SPEC, FOLDING))
        for spec in (OTHER, SPEC):
            prepare(line, spec, FOLDING, SPEC)
            assert line.identity.carries(spec)
            expect_golden(list(line.observe(spec, SPIKES)), spec=spec)
        prepare(line, OTHER, FOLDING, SPEC)
        with pytest.raises(WrongBitstreamError, match="load it, or program"):
            next(line.infer(SPEC, SPIKES))
    with connect(board.device) as line:
        assert line.identity.carries(OTHER)


def test_time_stands_still_between_samples(board):
    """What happens depends on the bytes alone, not on how long a host thinks."""
    with connect(board.device) as line:
        line.load(IMAGE)
        for sample in SPIKES[:3]:
            expect_golden(list(line.observe(SPEC, [sample])), sample[np.newaxis])
            time.sleep(0.2)
    # As many in the time of two samples, at the speed of any simulator.
    assert board.close().cycles < 1_000_000


def test_a_faster_line_is_the_same_design():
    """Of a board that holds so few bytes that weights and samples come in pieces."""
    with VirtualBoard(SPEC, replace(BOARD, window=16), FOLDING, divisor=4) as board:
        with connect(board.device) as line:
            line.load(IMAGE)
            expect_golden(list(line.observe(SPEC, SPIKES)))
        served = board.close()
    # As many as its own line would take for these bytes alone are too many.
    assert served.cycles < (served.received + served.sent) * 10 * BOARD.divisor
    with pytest.raises(BaudError, match="at most"):
        VirtualBoard(SPEC, BOARD, FOLDING, divisor=3)
    with pytest.raises(LinkError, match="built for an SPI controller"):
        VirtualBoard(SPEC, BOARD.over("spi"), FOLDING)


def test_a_board_that_stops_says_so(board):
    board._process.kill()
    with pytest.raises(ToolError, match="stopped"):
        board.wait()


def test_a_client_made_from_the_page_alone(board, tmp_path):
    """It shares no line with the driver, and gets what the golden model says."""
    samples = [[[[int(i), 1] for i in np.flatnonzero(step)] for step in sample]
               for sample in SPIKES]
    (tmp_path / "samples.json").write_text(json.dumps(samples))
    (tmp_path / "weights").write_bytes(IMAGE)
    done = subprocess.run(
        [sys.executable, "-I", CLIENT, board.device, tmp_path / "samples.json",
         tmp_path / "weights"], capture_output=True, text=True, timeout=120)
    assert not done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    golden = simulate(SPEC, SPIKES, engine="cycles", folding=FOLDING)
    assert [each["scores"] for each in told] == golden.scores.tolist()
    assert [each["winner"] for each in told] == golden.prediction.tolist()
    assert [each["counters"][-3] for each in told] == golden.cycles.tolist()
    assert "spikewright" not in [word for line in CLIENT.read_text().splitlines()
                                 if line.startswith(("import ", "from ")) for word in line.split()]


@pytest.mark.parametrize("shape", [(2, 34, 34), (1, 4, 5), (3, 1, 8)])
def test_the_client_knows_inputs_by_place(shape):
    loader = importlib.util.spec_from_file_location("client", CLIENT)
    client = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(client)
    net = NetworkSpec(input_shape=shape, timesteps=1, layers=(Layer(
        name="conv", neuron=Neuron(decay=15, decay_fraction=4, threshold=40), synapse=Conv2d(
            weight=np.ones((1, shape[0], 1, 1)), weight_bits=2, input_shape=shape)),))
    address = client.by_place(shape)
    assert [address(number) for number in range(net.inputs)] == wire_addresses(net, 1).tolist()


@pytest.fixture
def run(make_run):
    """As if it had been built, for the clock and the folding of the boards above."""
    golden = simulate(SPEC, SPIKES, engine="golden").prediction.copy()
    golden[0] = (golden[0] + 1) % SPEC.classes
    made = make_run(SPEC, Stimulus(SPIKES, golden))
    with made.writing("build") as folder:
        (folder / "boards" / BOARD.name).mkdir(parents=True)
        write_json(folder / "boards" / BOARD.name / "build.json", {
            "network": SPEC.digest, "clock_mhz": BOARD.clock_hz / 1e6, "link": "uart",
            "observe": False, "watchdog": False, "fmax_mhz_of_seeds": {"1": 50.0},
            "folding": to_json(SPEC, FOLDING), "shape": shape_digest(SPEC, FOLDING)})
    return made


def test_the_command_serves_until_it_is_interrupted(run):
    # A shell that runs the tests in the background has interrupts ignored.
    program = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
               "from spikewright.boards import virtual; virtual.OPTIMISE = 0; "
               "from spikewright.gen.cli import main; main(sys.argv[1:])")
    with subprocess.Popen(
        [sys.executable, "-c", program, "virtual", str(run.path), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as server:
        try:
            told = json.loads(server.stdout.readline())
            assert (told["board"], told["built"]) == ("icebreaker", True)
            with connect(told["device"]) as line:
                line.load(IMAGE)
                expect_golden(list(line.observe(SPEC, SPIKES[:2])), SPIKES[:2])
        finally:
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=60)
    assert (server.returncode, out) == (0, "")
    assert "bytes received" in err


def test_a_run_equals_golden(run, spikewright):
    code, told, err = spikewright("run", run.path, "--virtual", "--json")
    assert code == 0, err
    golden = simulate(SPEC, SPIKES, engine="golden")
    assert told["samples"] == told["compared"] == len(SPIKES)
    assert (told["mismatches"], told["spilled"], told["first_difference"]) == (0, 0, None)
    assert told["accuracy"] == 19 / 20
    assert told["spikes_per_layer"] == {
        layer.name: counts.mean() for layer, counts in
        zip(SPEC.layers, golden.counters["events_out"].T, strict=True)}
    code, shown, _ = spikewright("run", run.path, "--virtual", "--samples", 2)
    assert code == 0
    assert "0 of 2" in shown


def test_a_batch_shows_how_fast_the_hardware_is(run, spikewright):
    """The virtual board takes as many cycles as the model of inferences that overlap says."""
    code, told, err = spikewright("run", run.path, "--virtual", "--batch", "9x50", "--json")
    assert code == 0, err
    said = predicted(SPEC, FOLDING, SPIKES[:9], 50)["cycles"]
    alone = simulate(SPEC, SPIKES[:9], engine="cycles", folding=FOLDING).cycles.mean()
    assert (told["samples"], told["passes"], told["cycles"]) == (9, 50, said)
    assert (told["one_by_one"], told["differences"]) == (alone, [])
    assert told["inferences_per_second"] == BOARD.clock_hz * 450 / said > BOARD.clock_hz / alone
    code, shown, _ = spikewright("run", run.path, "--virtual", "--batch", "1")
    assert code == 0
    assert "1, 100 times" in shown


def test_a_board_shows_what_is_inside(make_run, spikewright, monkeypatch):
    """Of a net that was not built, the virtual board is one that can be observed."""
    monkeypatch.setattr("spikewright.boards.target.default_folding", lambda *which: FOLDING)
    made = make_run(SPEC, Stimulus(SPIKES, np.zeros(20, int)))
    code, told, err = spikewright("run", made.path, "--virtual", "--inside", 3, "--json")
    assert code == 0, err
    golden = simulate(SPEC, SPIKES[:3], engine="golden")
    assert [each["spikes"] for each in told["samples"]] == sum(
        spikes.sum(axis=(1, 2)) for spikes in golden.spikes).tolist()
    assert {each["membranes compared"] for each in told["samples"]} == {4 * (6 + 3)}
    assert told["differences"] == []


def test_a_run_is_loaded_into_the_board_of_another(run, make_run, spikewright):
    """With its name, found beside it, and where nothing was built."""
    second = make_run(OTHER, Stimulus(SPIKES, np.zeros(20, int)), "second")
    code, told, err = spikewright("run", second.path, "--virtual", "--built", run.path, "--json")
    assert (code, told["mismatches"], told["built"]) == (0, 0, True), err
    golden = simulate(OTHER, SPIKES, engine="golden")
    assert told["samples"] == 20
    with VirtualBoard(SPEC, BOARD, FOLDING) as board:
        code, told, err = spikewright("run", second.path, "--port", board.device, "--json")
        assert (code, told["mismatches"]) == (0, 0), err
        played = play_links.serial(board.device, second)
        assert played.infer(SPIKES[0]).scores == tuple(golden.scores[0])
        played.connection.close()
        code, told, err = spikewright("run", run.path, "--port", board.device, "--json")
        assert (code, told["mismatches"]) == (0, 0), err
        third = make_run(two_layers(inputs=12, hidden=7, classes=3, timesteps=4),
                         Stimulus(SPIKES, np.zeros(20, int)), "third")
        code, _, err = spikewright("run", third.path, "--port", board.device)
        assert code == 2
        assert "layer fc1: weight of its synapse is [7, 12], the hardware was built for [6, 12]" \
            in err


def test_a_mismatch_is_found_and_reported(run, spikewright, monkeypatch):
    """The board's weights are as built, the golden model's are not."""
    layer = SPEC.layers[0]
    other = replace(SPEC, layers=(
        replace(layer, synapse=replace(layer.synapse, weight=-layer.synapse.weight)),
        *SPEC.layers[1:]))
    monkeypatch.setattr(
        "spikewright.boards.play.simulate",
        lambda spec, signals, **more: simulate(other, signals, **more))
    code, told, err = spikewright("run", run.path, "--virtual", "--json")
    assert code == 1
    assert 0 < told["mismatches"] <= told["samples"]
    assert told["first_difference"] in err


def test_a_board_that_was_not_built_is_what_build_begins_with(make_run, monkeypatch):
    monkeypatch.setattr("spikewright.boards.target.default_folding", lambda *which: FOLDING)
    made = make_run(SPEC, Stimulus(SPIKES, np.zeros(20, int)))
    assert Target.of(made, SPEC, "icebreaker") == Target(BOARD, FOLDING, False)


def test_a_build_of_another_network_is_refused(run):
    with pytest.raises(WrongBitstreamError, match="spikewright build --board icebreaker"):
        Target.of(run, two_layers(seed=9), "icebreaker")


@pytest.mark.parametrize(("arguments", "said"), [
    ((), "no board given; give one of --port"),
    (("--virtual", "--simulated"), "--virtual and --simulated given"),
    (("--port", "/dev/nothing", "--board", "icesugar"), "--board icesugar"),
    (("--port", "/dev/nothing"), "/dev/nothing cannot be opened"),
    (("--simulated", "--divisor", "4"), "--divisor is of virtual boards"),
    (("--virtual", "--board", "none"), "board 'none' is unknown"),
    (("--virtual", "--batch", "0"), "a batch of '0'; give N or NxPASSES"),
    (("--virtual", "--batch", "1", "--inside", "1"), "give one of them"),
    (("--virtual", "--inside", "1"), "build it with --observe"),
])
def test_what_cannot_be_run_is_said(run, spikewright, arguments, said):
    code, _, err = spikewright("run", run.path, *arguments)
    assert code == 2
    assert said in err


def test_a_camera_plays_into_a_board(run):
    """Its weights, which it does not come with, are loaded, and again by a port alone."""
    golden = simulate(SPEC, SPIKES[:3], engine="golden")
    board = play_links.virtual("icebreaker", run)
    assert [board.infer(sample).winner for sample in SPIKES[:3]] == golden.prediction.tolist()
    again = play_links.serial(board.holds.device, run)
    assert again.infer(SPIKES[0]).scores == tuple(golden.scores[0])
    for each in (board, again):
        each.connection.close()
    board.holds.close()
    with pytest.raises(LinkError):
        play_links.serial("/dev/no-such-port", run)


def test_weights_that_no_build_lays_out_are_not_guessed(make_run):
    """The run has no build: nobody knows which of a board's memories hold which weights."""
    run = make_run(SPEC, Stimulus(SPIKES, np.zeros(20, int)))
    with (VirtualBoard(SPEC, BOARD, FOLDING) as board,
          connect(board.device) as line):
        line.load(board_image(SPEC, FOLDING, OTHER))
        with pytest.raises(WrongBitstreamError, match="the board carries network"):
            play_links.serial(board.device, run)
