import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import Layer, Linear, NetworkSpec, Neuron, simulate, specfile
from spikewright.gen.errors import DataError
from spikewright.gen.folding import Folding
from spikewright.gen.runfolder import RunFolder
from spikewright.model.data.camera import EVENT
from spikewright.model.data.datasets import EventDataset
from spikewright.model.data.encoding import Encoding
from spikewright.model.playback import Engine, EngineAnswer, Player, window_length, windows
from spikewright.model.recipe import Recipe

SENSOR = (6, 5, 2)
ENCODING = Encoding(timesteps=3, time_window=100)
SPEC = NetworkSpec(input_shape=(2, 5, 6), timesteps=3, layers=(Layer(
    name="fc", neuron=Neuron(decay=1, decay_fraction=1, threshold=3),
    synapse=Linear(weight=np.random.default_rng(2).integers(-4, 8, (4, 60)), weight_bits=4)),))


def events(times, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.zeros(len(times), EVENT)
    made["t"] = times
    for name, limit in zip("xyp", SENSOR, strict=True):
        made[name] = rng.integers(0, limit, len(times))
    return made


class Clock:
    """Time that passes when somebody sleeps or works."""

    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


class Slow:
    """An accelerator that takes its time, in seconds."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds

    def infer(self, frames):
        self.clock.sleep(self.seconds)
        return EngineAnswer(0, np.array([1, 0]), None)


def player(speed, seconds=0.0, length=300):
    clock = Clock()
    return Player(Slow(clock, seconds), ENCODING, SENSOR, length, speed=speed, now=clock.now,
                  sleep=clock.sleep), clock


@settings(deadline=None)
@given(times=st.lists(st.integers(0, 2000), min_size=1, max_size=60),
       cuts=st.lists(st.integers(0, 60), max_size=5), length=st.integers(1, 700))
def test_windows_hold_every_event_once(times, cuts, length):
    whole = events(sorted(times))
    pieces = np.split(whole, sorted(min(cut, len(whole)) for cut in cuts))
    made = list(windows(pieces, length))
    assert [each.begin - times_0 for times_0 in [min(times)] for each in made] == [
        n * length for n in range(len(made))]
    back = [each.events.copy() for each in made]
    for each, part in zip(made, back, strict=True):
        assert ((part["t"] >= 0) & (part["t"] < length)).all()
        part["t"] += each.begin
    np.testing.assert_array_equal(np.concatenate(back), whole)


def test_time_that_runs_backwards_is_refused():
    with pytest.raises(DataError, match=r"time runs backwards .* event at 10 µs comes after"):
        list(windows([events([1000, 1500]), events([10])], 300))


def test_a_window_is_encoded_as_a_sample_of_training():
    whole = events(np.sort(np.random.default_rng(1).integers(0, 900, 80)))
    whole["t"][0] = 0
    played = list(Player(Engine(SPEC, "cycles", Folding()), ENCODING, SENSOR, 300,
                         speed=None).play([whole]))
    parts = [whole[(whole["t"] >= at) & (whole["t"] < at + 300)].copy() for at in (0, 300, 600)]
    for at, part in zip((0, 300, 600), parts, strict=True):
        part["t"] -= at
    dataset = EventDataset(name="parts", sensor_size=SENSOR, classes=1,
                           labels=np.zeros(3, np.int64), read=lambda i: parts[i])
    trace = simulate(SPEC, ENCODING.encode(dataset), engine="cycles")
    assert trace.scores.any()
    assert [each.scores for each in played] == trace.scores.tolist()
    assert [each.winner for each in played] == trace.prediction.tolist()
    assert [each.cycles for each in played] == trace.cycles.tolist()
    assert [each.events for each in played] == [len(part) for part in parts]


def test_in_real_time_a_window_waits_until_it_is_complete():
    made, clock = player(speed=1.0, seconds=0.0001)
    played = list(made.play([events([0, 299, 300, 899])]))
    assert clock.time == pytest.approx(900e-6 + 0.0001)
    assert [each.latency for each in played] == pytest.approx([0.0001] * 3)
    assert made.dropped == 0
    slow, clock = player(speed=0.5)
    list(slow.play([events([0, 899])]))
    assert clock.time == pytest.approx(1800e-6)


def test_behind_real_time_windows_are_dropped():
    made, clock = player(speed=1.0, seconds=0.00075)
    played = list(made.play([events(range(0, 3000, 10))]))
    assert made.dropped > 3
    assert sum(each.dropped for each in played) <= made.dropped
    assert len(played) + made.dropped == 10
    assert clock.time < 0.0045
    assert max(each.latency for each in played) <= 0.0003 + 0.00075 + 1e-9


def test_the_newest_window_is_answered_however_late():
    made, _ = player(speed=1000.0, seconds=0.01)
    played = list(made.play([events(range(0, 3000, 10))]))
    assert [each.begin for each in played] == [0, 2700]
    assert (made.dropped, played[1].dropped) == (8, 8)


def test_at_full_speed_nothing_is_dropped():
    made, clock = player(speed=None, seconds=0.01)
    assert len(list(made.play([events(range(0, 3000, 10))]))) == 10
    assert (made.dropped, clock.time) == (0, pytest.approx(0.1))


def test_an_endless_stream_is_answered_as_it_comes():
    def endless():
        at = 0
        while True:
            yield events([at, at + 100])
            at += 200

    played = player(speed=None)[0].play(endless())
    assert [next(played).begin for _ in range(5)] == [0, 300, 600, 900, 1200]


def test_an_event_outside_of_the_sensor_is_refused():
    outside = events([1])
    outside["x"] = 6
    with pytest.raises(DataError, match=r"x from 6 to 6; the sensor \(6, 5, 2\) allows 0 to 5"):
        list(player(speed=None)[0].play([outside]))


def test_how_long_a_window_is():
    assert window_length(ENCODING, None) == 300
    whole = Encoding(timesteps=3)
    assert window_length(whole, 5000) == 5000
    with pytest.raises(DataError, match="say how long a window is: --window US"):
        window_length(whole, None)
    with pytest.raises(DataError, match="--window is 200 µs, but the run's recipe has 3 frames"):
        window_length(ENCODING, 200)


@pytest.fixture
def run(tmp_path):
    recipe = Recipe.check({
        "name": "tiny", "data": {"source": "events:none.npz"},
        "encoding": {"timesteps": 3, "time_window": 100},
        "net": {"hidden": [], "beta": 0.5}}, "recipe")
    made = RunFolder.create(tmp_path / "run")
    with made.writing("train") as folder:
        (folder / "recipe.json").write_text(recipe.model_dump_json())
    with made.writing("compile") as folder:
        specfile.save(SPEC, folder / "spec.json")
    return made.path


@pytest.fixture
def recording(tmp_path):
    from .data.test_recordings import prophesee

    path = tmp_path / "hand.dat"
    prophesee(path, "dat", events(range(50, 1700, 4)))
    return path


@pytest.fixture
def spikewright(capsys):
    from spikewright.gen.cli import main

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def test_command(run, recording, spikewright):
    code, out, err = spikewright("play", recording, run, "--speed", "max", "--engine", "cycles",
                                 "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["windows_answered"] == 6
    assert (said["windows_dropped"], said["events"], said["window_us"]) == (0, 413, 300)
    assert said["cycles_mean"] > 0
    assert len(said["windows"]) == 6
    code, out, err = spikewright("play", recording, run, "--windows", "2", "--speed", "1000")
    assert code == 0
    assert "windows answered" in out, err


@pytest.mark.parametrize(("arguments", "message"), [
    (["--speed", "fast"], "--speed is 'fast'; give a number above 0, or max"),
    (["--sensor", "6"], "--sensor is '6'; give X,Y"),
    (["--sensor", "9,9"], "a camera of 9×9 pixels becomes inputs (2, 9, 9); the network takes"),
    (["--link", "serial:/dev/null"], "link 'serial' is unknown; available are"),
    (["--engine", "none"], "engine 'none' is unknown"),
    (["--window", "10"], "--window is 10 µs, but the run's recipe has 3 frames of 100 µs"),
])
def test_bad_input_is_one_line(run, recording, spikewright, arguments, message):
    code, out, err = spikewright("play", recording, run, "--speed", "max", *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
