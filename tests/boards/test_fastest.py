"""The clock search, with tools that answer what it is told to expect."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from spikewright.boards import fastest
from spikewright.boards.build import Build
from spikewright.boards.registry import find_board
from spikewright.gen import Folding

from ..gen.examples import one_layer
from .trainings import FOLDING, training

BOARD, SPEC, LANES = find_board("icebreaker"), one_layer(4, 2), Folding()


@pytest.fixture
def built(monkeypatch, tmp_path):
    """Builds that reach what ``reach`` says of their clock; the clocks asked for."""
    asked = []
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(fastest, "find_tool", lambda name: SimpleNamespace(version="1"))

    def run(reach, spec=SPEC, folding=LANES, placed=True):
        def build(spec, board, folding, **options):
            asked.append(board.clock_hz / 1e6)
            fmax = reach(board.clock_hz / 1e6)
            return Build(None, {"clock_mhz": board.clock_hz / 1e6, "fmax_mhz": {"sync": fmax},
                                "meets_timing": fmax >= board.clock_hz / 1e6,
                                **({"structure": "it"} if placed else {"unpatchable": "so"})},
                         cached=False)

        monkeypatch.setattr(fastest, "build", build)
        return fastest.build_fastest(spec, BOARD, folding).figures, asked

    return run


def test_another_training_is_built_for_the_clock_that_was_found(built):
    first, asked = built(lambda clock: 31.0, training(1), FOLDING)
    assert len(asked) == 2
    second, asked = built(lambda clock: 31.0, training(2, threshold=20), FOLDING)
    assert second == first
    assert asked[2:] == [first["clock_mhz"]]
    built(lambda clock: 31.0, replace(training(1), timesteps=2), FOLDING)
    assert len(asked) == 5


def test_a_design_that_was_not_placed_for_all_has_its_own_clock(built):
    _, asked = built(lambda clock: 31.0, training(1), FOLDING, placed=False)
    assert len(asked) == 2
    built(lambda clock: 31.0, training(2, threshold=20), FOLDING)
    assert len(asked) == 4
    # What was found of others means nothing to it.
    figures, asked = built(lambda clock: 40.0, training(1), FOLDING, placed=False)
    assert figures["clock_mhz"] > 31


def test_a_slower_design_gets_the_highest_clock_that_it_stands(built):
    figures, asked = built(lambda clock: 31.0)
    assert figures["meets_timing"]
    assert asked == [24.0, pytest.approx(30.75)]


def test_a_faster_design_gets_a_higher_clock(built):
    figures, asked = built(lambda clock: 44.1)
    assert asked[0] == 24.0
    assert 43 < figures["clock_mhz"] <= 44.1


def test_a_placement_that_gets_worse_is_followed_down(built):
    figures, asked = built(lambda clock: {24.0: 31.0}.get(clock, 30.1))
    assert figures["meets_timing"]
    assert asked[0] == 24.0
    assert asked[1:] == sorted(asked[1:], reverse=True)
    assert figures["clock_mhz"] == asked[-1] <= 30.1


def test_the_oscillator_is_the_last_resort(built):
    figures, asked = built(lambda clock: 12.5)
    assert asked == [24.0, 12.0]
    assert figures["meets_timing"]


def test_what_is_too_slow_for_anything_says_so(built):
    figures, _ = built(lambda clock: 11.0)
    assert not figures["meets_timing"]
    assert figures["clock_mhz"] == 12.0
