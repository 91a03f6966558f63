import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import Input, InputKind, ReadoutKind, simulate
from spikewright.gen.errors import SpecError, UnsupportedModuleError
from spikewright.model import compile, nets
from spikewright.model.conversion.clip_floor import ClipFloor, clip_floored
from spikewright.model.conversion.conversion import convert
from spikewright.model.conversion.twins import compare


def _deep(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.3),
                         nn.Linear(20, 12, bias=False), nn.ReLU(), nn.Linear(12, 4))


def _maps(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AvgPool2d(2), nn.Sequential(nn.Conv2d(4, 3, 2), nn.ReLU()), nn.Flatten(),
        nn.Linear(12, 4),
    )


def _normed(ann, x):
    """``ann`` with the running statistics of ``x``."""
    ann.train()
    with torch.no_grad():
        for _ in range(20):
            ann(x)
    return ann.eval()


def _logits(converted, x, timesteps):
    """The spiking net's scores over its timesteps, for inputs held that long."""
    with torch.no_grad():
        activity = nets.unroll(converted.net, x.unsqueeze(0), timesteps=timesteps,
                               readout=converted.readout)
    return activity.votes.sum(0) / timesteps, activity


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(0, 1000))
def test_one_clip_floor_layer_converts_without_any_loss(levels, seed):
    torch.manual_seed(seed)
    ann = nn.Sequential(nn.Linear(5, 8), ClipFloor(levels, 0.7), nn.Linear(8, 3))
    x = torch.rand(40, 5)
    with torch.no_grad():
        steps = ann[0](x) * levels / 0.7 + 0.5
        # A float may round to either side of a floor's step; such samples prove nothing.
        x = x[((steps - steps.round()).abs() > 1e-3).all(1)]
        share = ann[1](ann[0](x)) / 0.7
        wanted = ann(x)
    converted = convert(ann, x, levels)
    scores, activity = _logits(converted, x, levels)
    np.testing.assert_array_equal(activity.spikes[0].sum(0), (share * levels).round())
    torch.testing.assert_close(scores, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("make", "inputs"), [(_deep, 6), (_maps, 36)])
def test_more_timesteps_come_closer_to_the_net(make, inputs):
    x = torch.rand(100, inputs)
    ann = _normed(make(), x)
    with torch.no_grad():
        wanted = ann(x)
    errors = {}
    for timesteps in (4, 32, 1024):
        converted = convert(ann, x, timesteps, percentile=100)
        scores, _ = _logits(converted, x, timesteps)
        errors[timesteps] = float((scores - wanted).abs().mean() / wanted.abs().mean())
    assert errors[1024] < errors[32] < errors[4]
    assert errors[1024] < 0.01


def test_largest_activation_fires_in_every_timestep_and_none_more():
    ann, x = _normed(_deep(), torch.rand(200, 6)), torch.rand(200, 6)
    converted = convert(ann, x, 50, percentile=100, shift=0)
    with torch.no_grad():
        hidden = ann[:3](x)
        currents = converted.net[0](x)
    torch.testing.assert_close(converted.scales[0], float(hidden.max()), atol=1e-5, rtol=0)
    torch.testing.assert_close(currents.clamp(min=0).max(), torch.tensor(1.0))
    lower = convert(ann, x, 50, percentile=80, shift=0)
    assert lower.scales[0] == pytest.approx(float(hidden[hidden > 0].quantile(0.8)), rel=0.02)


def test_half_a_threshold_leaves_no_error_on_average():
    ann, x = _normed(_deep(), torch.rand(500, 6)), torch.rand(500, 6)
    with torch.no_grad():
        wanted = ann[:3](x)
    means = {}
    for shift in (0.0, 0.5):
        converted = convert(ann, x, 8, percentile=100, shift=shift)
        _, activity = _logits(converted, x, 8)
        rates = activity.spikes[0].mean(0) * converted.scales[0]
        means[shift] = float((rates - wanted)[wanted > 0].mean() / wanted[wanted > 0].mean())
    assert means[0.0] < -0.05
    assert abs(means[0.5]) < 0.02


def test_a_converted_net_compiles_and_is_close_to_its_qnn_twin():
    x = torch.randint(0, 256, (60, 36))
    ann = clip_floored(_normed(_maps(), x / 255), 8)
    converted = convert(ann, x / 255, 8, input_scale=1 / 255)
    assert converted.readout.kind is ReadoutKind.MEMBRANE
    spec = compile(converted.net, 36, 8, bits=8, readout=converted.readout,
                   input=Input(kind=InputKind.CURRENT, bits=8))
    signals = x.numpy().astype(np.uint8)[:, np.newaxis]
    scores, activity = _logits(converted, x.float(), 8)
    trace = simulate(spec, signals, engine="golden")
    for spikes, floats in zip(trace.spikes[:-1], activity.spikes, strict=False):
        assert abs(spikes.mean() - float(floats.mean())) < 0.01
    agree = (trace.prediction == scores.argmax(1).numpy()).mean()
    assert agree > 0.9
    comparison = compare(spec, signals)
    assert comparison.layers[0].equal > 0.95  # sums below 0 fire no more than a QNN clips
    assert comparison.layers[-1].lawful == comparison.layers[-1].equal == 1


def test_the_net_itself_is_left_alone():
    ann = _deep()
    ann.train()
    before = {key: value.clone() for key, value in ann.state_dict().items()}
    convert(ann, torch.rand(9, 6), 4)
    assert ann.training
    for key, value in ann.state_dict().items():
        assert torch.equal(before[key], value)


def test_clip_floor_by_hand_and_its_gradients():
    layer = ClipFloor(4, 2.0)
    x = torch.tensor([-1.0, 0.2, 0.3, 1.0, 1.8, 3.0], requires_grad=True)
    y = layer(x)
    assert y.tolist() == [0, 0, 0.5, 1, 2, 2]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0]
    # λ: what is above it moves with it; what is inside moves by its rounding error.
    assert layer.scale.grad.item() == pytest.approx(
        (0 - 0.1) + (0.25 - 0.15) + (0.5 - 0.5) + (1 - 0.9) + 1, abs=1e-6)


def test_every_relu_becomes_its_own_clip_floor():
    shared = nn.ReLU()
    net = clip_floored(nn.Sequential(nn.Linear(2, 2), shared, nn.Sequential(shared)), 4)
    made = [module for module in net.modules() if not isinstance(module, nn.Sequential)][1:]
    assert [type(module) for module in made] == [ClipFloor, ClipFloor]


@pytest.mark.parametrize(("modules", "message"), [
    ([nn.Linear(6, 4), nn.Sigmoid()], "module 1 .Sigmoid. has no counterpart"),
    ([nn.Linear(6, 4), nn.Linear(4, 4)], "without an activation between"),
    ([nn.BatchNorm1d(6), nn.Linear(6, 4), nn.ReLU()], "stands behind no Linear"),
    ([nn.Linear(6, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.ReLU()],
     "no running statistics"),
    ([nn.ReLU(), nn.Linear(6, 4)], "no Linear or Conv2d in front"),
    ([nn.Linear(6, 4), nn.Flatten(), nn.ReLU()], "put it behind the activation"),
    ([nn.Linear(6, 4)], "has no activations"),
])
def test_unknown_nets_are_refused(modules, message):
    with pytest.raises(UnsupportedModuleError, match=message):
        convert(nn.Sequential(*modules), torch.rand(5, 6), 4)


def test_wrong_numbers_are_refused():
    ann, x = _deep(), torch.rand(5, 6)
    for fields, message in (({"percentile": 0}, "percentile is 0"),
                            ({"timesteps": 0}, "timesteps is 0")):
        with pytest.raises(SpecError, match=message):
            convert(ann, x, **{"timesteps": 4, **fields})
    with pytest.raises(SpecError, match="no samples"):
        convert(ann, x[:0], 4)
    dead = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(dead[0].weight, -1)
    nn.init.constant_(dead[0].bias, -1)
    with pytest.raises(SpecError, match="is 0 for all samples"):
        convert(dead, x, 4)
    with pytest.raises(SpecError, match="levels is 0"):
        ClipFloor(0)
