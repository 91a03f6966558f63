import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikewright.gen import simulate
from spikewright.gen.errors import FoldingError, RecipeError
from spikewright.gen.folding_options import folding_of
from spikewright.model import nets, quantise
from spikewright.model.exchange.dynamics import float_layers
from spikewright.model.quantisation.net import QuantizedNet
from spikewright.model.quantisation.rounding import outline
from spikewright.model.readouts import Activity
from spikewright.model.recipe import Recipe
from spikewright.model.training import penalties
from spikewright.model.training.latency import Latency
from spikewright.model.training.penalty import Penalty


def _activity(*rates, timesteps=6, batch=4):
    """Of three layers of 5, 3 and 2 neurons, that fire about so often."""
    rng = np.random.default_rng(0)
    spikes = tuple(torch.from_numpy(rng.random((timesteps, batch, size)) < rate).float()
                   for size, rate in zip((5, 3, 2), rates, strict=True))
    return Activity(spikes[-1], spikes, torch.ones(timesteps, batch, 7))


def _paid(activity, **fields):
    return sum(float(term(activity)) for term in penalties.chosen(Penalty(**fields)))


def test_nothing_is_paid_for_unless_asked():
    assert penalties.chosen(Penalty()) == []


def test_spikes_of_hidden_layers_are_counted():
    activity = _activity(0.5, 0.5, 0.5)
    first, second = (float(layer.sum()) / 4 for layer in activity.spikes[:2])
    assert _paid(activity, spikes=0.5) == pytest.approx(0.5 * (first + second))
    assert _paid(activity, spikes=(0, 2)) == pytest.approx(2 * second)


def test_rates_are_paid_for_beyond_their_bound_alone():
    activity = _activity(0.9, 0.1, 1)
    assert _paid(activity, rate=1, excess=3) == 0
    mean = activity.spikes[0].mean((0, 1))
    assert _paid(activity, rate=(0.5, 1), excess=3) == pytest.approx(
        3 * float((mean - 0.5).clamp(min=0).square().mean()), rel=1e-6)
    assert _paid(activity, rate=0.5, excess=(0, 1)) == 0


@pytest.mark.parametrize("fields", [{"spikes": (1, 2, 3)}, {"excess": (1,)},
                                    {"excess": 1, "rate": (0.1, 0.2, 0.3)}])
def test_one_number_for_each_hidden_layer(fields):
    (term,) = penalties.chosen(Penalty(**fields))
    with pytest.raises(RecipeError, match=r"numbers for 2 hidden layers"):
        term(_activity(0.5, 0.5, 0.5))


def test_cycles_need_a_network_that_the_hardware_fits(small_net):
    with pytest.raises(RecipeError, match="network that is built"):
        penalties.chosen(Penalty(cycles=1))
    with pytest.raises(FoldingError, match="3 way counts for 2 layers"):
        penalties.chosen(Penalty(cycles=1, hardware={"ways": [4, 2, 1]}), small_net)


def test_hardware_is_written_as_options_are():
    for lanes in ("8,2", [8, 2], (8, 2)):
        assert Penalty(hardware={"lanes": lanes}).hardware.lanes == "8,2"
    assert Penalty(hardware={"ways": 4}).hardware.ways == "4"


def test_cycles_of_integers_are_the_cycle_models(small_net, small_stimulus):
    folding = folding_of("4,1", small_net, "2,1")
    expected = simulate(small_net, small_stimulus.spikes, engine="cycles", folding=folding).cycles
    x = torch.from_numpy(small_stimulus.spikes).transpose(0, 1)
    (term,) = penalties.chosen(
        Penalty(cycles=0.5, hardware={"lanes": [4, 1], "ways": [2, 1]}), small_net)
    assert float(term(QuantizedNet(small_net).activity(x))) == 0.5 * expected.mean()


@settings(deadline=None, max_examples=20)
@given(hidden=st.sampled_from([(6,), ("3c2", "m2", 6), ("3c2p1", "p2", 5)]), neuron=st.sampled_from(
    [{"neuron": "leaky"}, {"neuron": "rleaky", "all_to_all": True},
     {"neuron": "synaptic", "alpha": 0.5}]), kind=st.sampled_from(["events", "current"]))
def test_floats_take_the_cycles_of_their_outline(hidden, neuron, kind):
    """Timing depends on what layers are like, not on their weights."""
    assume(neuron["neuron"] != "rleaky" or (len(hidden) == 1 and kind == "events"))
    recipe = Recipe.check({
        "encoding": {"kind": kind, "timesteps": 4}, "training": {"gain": 3},
        "net": {"hidden": hidden, "beta": 0.5, "threshold": 0.3, **neuron},
    }, "test")
    net = nets.build(recipe, (2, 5, 5), 3)
    fixed = {"input": recipe.encoding.input, "readout": recipe.readout.contract}
    spec = quantise(net, (2, 5, 5), 4, **fixed).spec
    like = outline(float_layers(net, (2, 5, 5)), input_shape=(2, 5, 5), timesteps=4, **fixed)
    signals = np.random.default_rng(0).random((5, 1 if kind == "current" else 4, 50)) < 0.4
    trace = simulate(spec, signals, engine="cycles")
    found = Latency(like, folding_of(None, like))(
        torch.from_numpy(signals).transpose(0, 1),
        [torch.from_numpy(fired).transpose(0, 1).float() for fired in trace.spikes])
    assert found.tolist() == trace.cycles.tolist()
