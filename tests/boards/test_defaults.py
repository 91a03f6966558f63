"""The folding that every training of a network gets, found once."""

from dataclasses import replace

import numpy as np
import pytest

from spikewright.boards import defaults
from spikewright.boards.defaults import default_folding
from spikewright.boards.fit import fastest_folding, smallest_folding
from spikewright.boards.registry import find_board
from spikewright.gen.template import template
from spikewright.gen.widths import spare_widths

from ..gen.examples import of_everything, two_layers
from .trainings import training

BOARD = find_board("icebreaker")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    return tmp_path / "foldings"


@pytest.fixture
def searches(monkeypatch):
    """How often a folding was looked for; the smallest is found, in no time."""
    found = []
    monkeypatch.setattr(defaults, "fastest_folding", lambda *given: found.append(given) or
                        smallest_folding(*given))
    return found


def test_trainings_share_what_was_found_once(cache, searches):
    first, second = (default_folding(training(seed), BOARD) for seed in (1, 2))
    assert first == second
    assert len(searches) == 1
    assert first == smallest_folding(training(2), BOARD)
    # What is kept decides nothing that the network does not.
    default_folding(training(3), BOARD, use_cache=False)
    assert len(searches) == 2
    (kept,) = cache.iterdir()
    kept.write_text("{", encoding="utf-8")
    assert default_folding(training(2), BOARD) == first
    assert len(searches) == 3


def test_what_is_not_training_is_looked_for_anew(cache, searches):
    spec = training(1)
    layer = spec.layers[0]
    others = [replace(spec, timesteps=4), replace(spec, layers=(
        replace(layer, neuron=replace(layer.neuron, decay=6)), *spec.layers[1:]))]
    for n, each in enumerate([spec, *others], 1):
        default_folding(each, BOARD)
        assert len(searches) == n
    default_folding(spec, find_board("upduino-v3"))
    assert len(searches) == 4


def test_a_folding_is_found_without_a_place_to_keep_it(tmp_path, monkeypatch, searches):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "file"))
    assert default_folding(training(1), BOARD) == smallest_folding(training(1), BOARD)


@pytest.mark.slow
def test_the_template_gets_the_folding_that_the_network_gets(cache):
    spec = two_layers(inputs=40, hidden=16, classes=4)
    assert default_folding(spec, BOARD) == fastest_folding(spec, BOARD)


@pytest.mark.parametrize("spec", [of_everything(), training(1)], ids=["everything", "linear"])
def test_a_template_tells_nothing_of_training(spec):
    stands = template(spec)
    assert template(stands) == stands
    other = replace(spec, layers=tuple(replace(layer, synapse=replace(
        layer.synapse, weight=-layer.synapse.weight // 2)) for layer in spec.layers))
    assert template(other) == stands
    for mine, its in zip(spec.layers, stands.layers, strict=True):
        assert mine.synapse.weight.shape == its.synapse.weight.shape
        for name in ("threshold", "bias"):
            assert isinstance(getattr(mine.neuron, name), np.ndarray) == isinstance(
                getattr(its.neuron, name), np.ndarray)
    assert spare_widths(stands)[0].sums == spare_widths(spec)[0].sums
