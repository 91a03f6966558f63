"""Foldings for boards: what is tried, what fits, and what is chosen."""

from dataclasses import replace

import numpy as np
import pytest

from spikewright.boards import fit
from spikewright.boards.estimate import estimate
from spikewright.boards.fit import (
    FILL,
    Candidate,
    Point,
    choices,
    choose,
    dense_cycles,
    explore,
    fastest_folding,
    front,
    nothing_fits,
    require_memory,
    storages,
    stored,
)
from spikewright.boards.registry import find_board
from spikewright.gen.coding import Input, InputKind
from spikewright.gen.errors import DoesNotFitError
from spikewright.gen.folding import Folding, LayerFolding, Storage
from spikewright.gen.plan import layer_plans

from ..gen.examples import one_layer, two_layers
from .trainings import FOLDING, training

ICEBREAKER, ULX3S = find_board("icebreaker"), find_board("ulx3s-85f")
SPEC = two_layers(inputs=40, hidden=16, classes=4)


def test_choices_grow_from_one_lane_to_several_ways():
    layer = one_layer(50, 30).layers[0]
    found = choices(layer, Storage.FIXED)
    speeds = [-(-30 // (folding.lanes or 30)) / folding.ways for folding in found]
    assert found[0].lanes == 1
    assert speeds == sorted(set(speeds), reverse=True)
    assert [folding.ways for folding in found if folding.lanes == 30] == [1, 2, 4, 8]
    # The large memories are 64 bits wide together.
    spram = choices(layer, Storage.SPRAM)
    assert spram[-1] == LayerFolding(lanes=15, storage=Storage.SPRAM)


def test_each_candidate_is_faster_and_fits():
    def cost(folding):
        return dense_cycles(SPEC, folding)

    found = list(explore(SPEC, ICEBREAKER, cost))
    costs = [cost(candidate.folding) for candidate in found]
    assert len(found) >= 4
    assert costs == sorted(set(costs), reverse=True)
    for candidate in found:
        assert candidate.needs.blocks <= 30
        assert candidate.needs.logic <= FILL * 5280
    enough = [cost for cost in costs if cost <= 1.01 * costs[-1]]
    assert fastest_folding(SPEC, ICEBREAKER) == found[-len(enough)].folding


@pytest.mark.slow
def test_a_layer_that_did_not_fit_is_tried_again_when_another_leaves_block_memories():
    """Eight lanes of the first layer need 31 of 30 block memories, until the second has a lane for
    each neuron, and keeps its sums in registers."""
    spec = two_layers(inputs=200, hidden=64, classes=10)
    folding = fastest_folding(spec, ICEBREAKER)
    first, second = (layer.lanes for layer in folding.of(spec))
    assert (first, second) == (8, 10)
    before = Folding.each(LayerFolding(lanes=8), LayerFolding(lanes=2), spec=spec)
    assert not Candidate(spec, ICEBREAKER, before).fits


def test_weights_too_large_for_block_memory_go_to_large_ones():
    spec = two_layers(inputs=784, hidden=128, classes=10)
    assert storages(spec, ICEBREAKER) == [Storage.SPRAM, Storage.FIXED]
    assert storages(spec, ULX3S) == [Storage.FIXED, Storage.FIXED]
    folding = Folding.each(LayerFolding(lanes=16, storage=Storage.SPRAM), LayerFolding(lanes=2),
                           spec=spec)
    candidate = Candidate(spec, ICEBREAKER, folding)
    assert candidate.needs.large == 4
    assert candidate.fits
    require_memory(spec, layer_plans(spec, folding), ICEBREAKER)
    with pytest.raises(DoesNotFitError, match="has no large memories"):
        require_memory(spec, layer_plans(spec, folding), ULX3S)


def test_weights_leave_block_memories_that_the_smallest_hardware_does_not_fit_in_with_them():
    """20 of 30 blocks of weights, and 13 for sums, membranes and the host link."""
    spec = two_layers(inputs=255, hidden=64, classes=64)
    folding = stored(Folding.lanes(2, 2, spec=spec), spec, ICEBREAKER)
    assert [layer.storage for layer in folding.of(spec)] == [Storage.SPRAM, Storage.FIXED]
    assert Candidate(spec, ICEBREAKER, folding).fits


def test_another_training_is_not_elaborated_again(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    fit._needs.cache_clear()
    made = []
    monkeypatch.setattr(fit, "estimate", lambda *given: made.append(estimate(*given)) or made[-1])
    first = Candidate(training(1), ICEBREAKER, FOLDING).needs
    assert Candidate(training(2, threshold=20), ICEBREAKER, FOLDING).needs is first
    # Nor by another process.
    fit._needs.cache_clear()
    assert Candidate(training(2, threshold=20), ICEBREAKER, FOLDING).needs == first
    assert len(made) == 1
    # What is kept decides nothing that the design does not.
    (kept,) = (tmp_path / "estimates").iterdir()
    for damaged in ("{", "[]", '{"logic": 1}'):
        kept.write_text(damaged, encoding="utf-8")
        fit._needs.cache_clear()
        assert Candidate(training(2, threshold=20), ICEBREAKER, FOLDING).needs == first
    assert made == [first] * 4


def test_values_take_no_more_multipliers_than_the_part_has():
    spec = replace(one_layer(40, 56), input=Input(kind=InputKind.COUNTS, bits=4))
    board = find_board("ulx3s-12f")
    many, few = (Candidate(spec, board, Folding.lanes(n, spec=spec)) for n in (56, 14))
    # One a lane, and a few for other things than weights.
    assert many.needs.multipliers >= 56 > board.part.multipliers > few.needs.multipliers >= 14
    assert not many.fits
    assert few.fits


def test_more_large_memories_than_the_part_has_are_refused_with_numbers():
    spec = two_layers(inputs=784, hidden=128, classes=10)

    def require(lanes, slices=1, **second):
        first = LayerFolding(lanes=lanes, slices=slices, storage=Storage.SPRAM)
        folding = Folding.each(first, LayerFolding(lanes=2, **second), spec=spec)
        require_memory(spec, layer_plans(spec, folding), ICEBREAKER)

    require(16)  # all four
    with pytest.raises(
        DoesNotFitError,
        match=r"spram storage need 5 of 4 large memories \(fc1 4, fc2 1\); use fixed or loadable",
    ):
        require(16, storage=Storage.SPRAM)
    require(16, slices=4)  # each a width of its own
    with pytest.raises(DoesNotFitError, match=r"need 8 of 4 large memories \(fc1 8\)"):
        require(16, slices=8)
    with pytest.raises(DoesNotFitError, match=r"need 6 of 4 large memories \(fc1 6\)"):
        require(24)


def test_weights_beyond_all_memory_are_refused_with_numbers_and_larger_boards():
    def require(spec):
        require_memory(spec, layer_plans(spec, Folding()), ICEBREAKER)

    require(one_layer(240, 128))  # 30 block memories, the very last bit
    with pytest.raises(
        DoesNotFitError,
        match=r"its 30960 weights need 31 of 30 block memories; use fewer .* larger board \(tiny",
    ):
        require(one_layer(240, 129))


def test_what_cannot_fit_at_all_is_told_with_numbers():
    spec = one_layer(1000, 400)
    assert list(explore(spec, ICEBREAKER, lambda folding: 1)) == []
    assert r"one lane a layer needs about" in str(nothing_fits(spec, ICEBREAKER))


def points():
    """Fast and large, in between, slow and small, and one that is beaten."""
    found = [Point(Candidate(SPEC, ULX3S, Folding.lanes(*lanes, spec=SPEC)),
                   np.array([cycles, cycles]))
             for lanes, cycles in (((16, 4), 100), ((8, 2), 300), ((1, 1), 900), ((16, 4), 500))]
    needs = [point.candidate.needs for point in found]
    assert needs[0].logic > needs[1].logic > needs[2].logic
    return found


def test_front_leaves_out_what_is_beaten():
    fast, middle, slow, beaten = points()
    assert front([beaten, slow, fast, middle]) == [fast, middle, slow]


def test_the_smallest_that_is_fast_enough_is_chosen():
    fast, middle, slow, _ = found = points()
    clock = ULX3S.clock_hz
    assert choose(found, None) is fast
    assert choose(found, clock / 100) is fast
    assert choose(found, clock / 301) is middle
    assert choose(found, 1) is slow
    with pytest.raises(DoesNotFitError, match="does 750000 inferences a second at 75 MHz, 800000"):
        choose(found, 800_000)


def test_the_command_prints_the_front_and_how_to_build(make_run, spikewright):
    run = make_run().path
    code, out, err = spikewright("fit", run, "--board", "icebreaker", "--json")
    assert code == 0, err
    cycles = [row["cycles"] for row in out["front"]]
    assert cycles == sorted(cycles)
    assert out["chosen"]["cycles"] == cycles[0]
    slow = out["front"][-1]["fps"]
    code, cheap, _ = spikewright("fit", run, "--fps", f"{slow * 0.9}", "--json")
    assert (code, cheap["chosen"]["logic"]) == (0, out["front"][-1]["logic"])
    # The cycles are those that the simulated hardware takes.
    lanes = ",".join(map(str, out["chosen"]["lanes"].values()))
    ways = ",".join(map(str, out["chosen"]["ways"].values()))
    code, measured, _ = spikewright("simulate", run, "--engine", "amaranth", "--lanes", lanes,
                                    "--ways", ways, "--json")
    assert code == 0
    assert measured["cycles"]["mean"] == out["chosen"]["cycles"]
    code, out, err = spikewright("fit", run, "--fps", "1e9", "--json")
    assert (code, out) == (2, "")
    assert "inferences a second at 24 MHz" in err
