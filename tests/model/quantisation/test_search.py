from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import Stimulus, simulate
from spikewright.gen.errors import RecipeError
from spikewright.model.exchange.dynamics import float_layers
from spikewright.model.quantisation import search as searching
from spikewright.model.quantisation.memory import stored_bits
from spikewright.model.quantisation.rounding import post_training
from spikewright.model.quantisation.search import search
from spikewright.model.quantisation.settings import Quantisation

OPTIONS = Quantisation(method="ptq", weight_shift=2)


@pytest.fixture(scope="module")
def case():
    """A net whose labels are what it says itself."""
    torch.manual_seed(1)
    net: Any = nn.Sequential(
        nn.Linear(20, 12), snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(12, 3), snn.Leaky(beta=0.9, init_hidden=True),
    )
    with torch.no_grad():
        for n in (0, 2):
            net[n].weight *= 3
    rounded = partial(post_training, float_layers(net, (20,)), input_shape=(20,), timesteps=8)
    spikes = np.random.default_rng(0).random((60, 8, 20)) < 0.4
    spec = post_training(float_layers(net, (20,)), Quantisation(bits=8), input_shape=(20,),
                         timesteps=8).spec
    return rounded, Stimulus(spikes, simulate(spec, spikes, engine="golden").prediction)


def test_a_layer_stores_weights_states_and_parameters_of_its_own(case):
    rounded, _ = case
    spec = rounded(OPTIONS.model_copy(update={"bits": (2, 8)})).spec
    for layer, bounds, bits, found in zip(spec.layers, spec.bounds, (2, 8), stored_bits(spec),
                                          strict=True):
        bias = layer.neuron.bias
        wide = 1 + max(int(-bias.min() - 1).bit_length(), int(bias.max()).bit_length())
        assert found == layer.synapse.weight.size * bits + layer.neurons * (
            bounds.accumulator_bits + wide)


def test_the_budget_is_kept_and_used(case):
    rounded, samples = case
    whole = sum(stored_bits(rounded(OPTIONS.model_copy(update={"bits": 8})).spec))
    losses = []
    for share in (0.4, 0.55, 1.0):
        found = search(rounded, OPTIONS, samples, share * whole)
        network = rounded(found.options)
        assert found.memory == sum(stored_bits(network.spec)) <= share * whole
        losses.append(found.loss)
        assert search(rounded, OPTIONS, samples, share * whole) == found
    assert losses[0] > losses[1] >= losses[2]
    assert losses[2] <= found.reference


def test_it_beats_as_many_bits_in_every_layer(case):
    rounded, samples = case
    for bits in (3, 4):
        same = rounded(OPTIONS.model_copy(update={"bits": bits}))
        judge = searching._Judge(rounded(OPTIONS.model_copy(update={"bits": 8})), samples)
        found = search(rounded, OPTIONS, samples, sum(stored_bits(same.spec)))
        assert found.loss < judge.loss(same)
        assert found.memory <= sum(stored_bits(same.spec))


def test_loss_is_that_of_the_golden_model(case):
    rounded, samples = case
    network = rounded(OPTIONS)
    scores = simulate(network.spec, samples.spikes, engine="golden").scores
    expected = nn.functional.cross_entropy(
        torch.from_numpy(scores).double(), torch.from_numpy(samples.labels))
    assert searching._Judge(network, samples).loss(network) == pytest.approx(float(expected))


def test_membranes_that_no_sample_saturates(case):
    rounded, samples = case
    network = rounded(OPTIONS)
    judge = searching._Judge(network, samples)
    for n in range(2):
        width = judge._needed_width(network, n)
        counts = [judge._run(network, n, searching._narrowed(network.spec.layers[n], bits),
                             judge._reaching[n]).saturations.sum()
                  for bits in (width, width - 1)
                  if searching._fires(network.spec.layers[n], bits)]
        assert counts[0] == 0
        assert all(counts[1:])


def test_too_small_a_budget_names_the_smallest_that_works(case):
    rounded, samples = case
    with pytest.raises(RecipeError, match=r"budget of 0\.1 kbit; the smallest .* takes") as caught:
        search(rounded, OPTIONS, samples, 100)
    smallest = float(str(caught.value).split("takes ")[1].split(";")[0])
    assert search(rounded, OPTIONS, samples, 1000 * smallest).memory == 1000 * smallest


@given(st.lists(st.lists(st.tuples(st.integers(1, 30), st.integers(-9, 9)), min_size=1, max_size=5),
                min_size=1, max_size=4), st.integers(1, 120))
def test_the_knapsack_is_solved_exactly(layers, budget):
    frontier = [searching._Choice((), (), 0, 0.0)]
    for options in layers:
        frontier = searching._unbeaten([
            one + searching._Choice((n,), (None,), memory, float(rise))
            for one in frontier for n, (memory, rise) in enumerate(options)])
    fitting = [choice.rise for choice in frontier if choice.memory <= budget]
    every = [sum(rise for _, rise in chosen) for chosen in product(*layers)
             if sum(memory for memory, _ in chosen) <= budget]
    assert fitting[-1:] == ([min(every)] if every else [])
