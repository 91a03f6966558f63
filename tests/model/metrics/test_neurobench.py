"""Our metrics beside the package's own, on the same nets and data."""

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import Input, InputKind, simulate
from spikewright.model import compile
from spikewright.model.metrics import static
from spikewright.model.metrics.workload import Workload

benchmarks = pytest.importorskip(
    "neurobench.benchmarks", reason="NeuroBench's package is not installed: pip install neurobench")

TIMESTEPS = 5


def _synapse(module, rng, density):
    """Integers, many of them 0; what they add up to is exact in floats."""
    with torch.no_grad():
        for parameter in module.parameters():
            kept = rng.random(parameter.shape) < density
            values = rng.integers(-7, 8, parameter.shape) * kept
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return module


def _neuron(rng, features=None, last=False):
    """A neuron of any kind whose numbers stay integers; only Linear layers (``features``) recur."""
    common = {"threshold": float(rng.integers(3, 12)), "init_hidden": True, "output": last}
    decay, reset = float(rng.integers(2)), str(rng.choice(["subtract", "zero"]))
    kinds = ["leaky"] + ["rleaky"] * (features is not None) + ["synaptic"] * (not last)
    match rng.choice(kinds):
        case "leaky":
            return snn.Leaky(beta=decay, reset_mechanism=reset, reset_delay=bool(rng.integers(2)),
                             **common)
        case "synaptic":
            return snn.Synaptic(alpha=1.0, beta=decay, reset_mechanism=reset, **common)
    # Under a reset to zero, snnTorch evaluates the recurrence twice, and the package counts both.
    neuron = snn.RLeaky(beta=decay, linear_features=features, **common)
    _synapse(neuron.recurrent, rng, 0.5)
    return neuron


def _flat(rng, density):
    sizes = rng.integers(2, 9, 3).tolist()
    return nn.Sequential(
        _synapse(nn.Linear(sizes[0], sizes[1]), rng, density), _neuron(rng, sizes[1]),
        _synapse(nn.Linear(sizes[1], sizes[2], bias=False), rng, density),
        _neuron(rng, sizes[2], last=True),
    ), (sizes[0],), [1, 1]


def _maps(rng, density):
    average, stride = bool(rng.integers(2)), int(rng.integers(1, 3))
    return nn.Sequential(
        _synapse(nn.Conv2d(2, 4, 3, padding=1, stride=stride), rng, density),
        _neuron(rng),
        (nn.AvgPool2d if average else nn.MaxPool2d)(2),
        _synapse(nn.Conv2d(4, 2, 1, groups=2), rng, density),
        _neuron(rng), nn.Flatten(),
        _synapse(nn.Linear(18 if stride == 1 else 2, 3), rng, density), _neuron(rng, 3, last=True),
    ), (2, 6, 6), [1, 0.25 if average else 1, 1]


@pytest.mark.parametrize("make", [_flat, _maps])
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([0.2, 0.6, 1.0]), st.sampled_from(InputKind))
def test_every_metric_equals_the_package_s(make, seed, density, kind):
    from neurobench.metrics import static as package_static
    from neurobench.metrics import workload as package_workload
    from neurobench.models import SNNTorchModel

    rng = np.random.default_rng(seed)
    net, shape, steps = make(rng, density)
    inputs = int(np.prod(shape))
    arriving = Input(kind=kind, bits=1 if kind is InputKind.EVENTS else 2)
    spec = compile(net, shape, TIMESTEPS, steps=steps, bits=4, weight_shift=0, decay_fraction=0,
                   input=arriving)
    frames = 1 if kind is InputKind.CURRENT else TIMESTEPS
    signals = rng.integers(0, arriving.most + 1, (6, frames, inputs), np.uint8)
    signals *= rng.random((6, frames, 1)) < 0.7  # timesteps of rest, and of zeros and ones alone
    labels = rng.integers(0, spec.classes, 6)

    shown = np.broadcast_to(signals, (6, TIMESTEPS, inputs)).reshape(6, TIMESTEPS, *shape)
    samples = torch.utils.data.TensorDataset(
        torch.tensor(shown, dtype=torch.float32), torch.from_numpy(labels))
    measured = benchmarks.Benchmark(
        SNNTorchModel(net), torch.utils.data.DataLoader(samples, batch_size=3), [],
        [lambda spikes: spikes.sum(1).argmax(1)],
        [[package_static.ParameterCount, package_static.Footprint,
          package_static.ConnectionSparsity],
         [package_workload.ClassificationAccuracy, package_workload.ActivationSparsity,
          package_workload.ActivationSparsityByLayer, package_workload.SynapticOperations,
          package_workload.MembraneUpdates]],
    ).run(quiet=True)

    workload = Workload(spec)
    for batch in (slice(0, 3), slice(3, 6)):
        trace = simulate(spec, signals[batch], engine="golden", membranes=True)
        workload.add(signals[batch], trace, labels[batch])
    ours = workload.figures()
    assert ours["synaptic_operations"] == measured["SynapticOperations"]
    assert ours["membrane_updates"] == measured["MembraneUpdates"]
    assert ours["classification_accuracy"] == pytest.approx(
        measured["ClassificationAccuracy"], rel=1e-6)  # the package averages in single precision
    assert ours["activation_sparsity"] == pytest.approx(measured["ActivationSparsity"], rel=1e-12)
    assert list(ours["activation_sparsity_by_layer"].values()) == list(
        measured["ActivationSparsityByLayer"].values())
    # The integers are those of the net, so its zeros are too.
    for weights in (static.weights(net), static.weights(spec)):
        assert static.connection_sparsity(weights) == measured["ConnectionSparsity"]


@pytest.mark.parametrize("make", [_flat, _maps])
def test_static_metrics_of_an_untouched_net(make):
    from neurobench.metrics import static as package
    from neurobench.models import SNNTorchModel

    for seed in range(5):
        net = make(np.random.default_rng(seed), 0.5)[0]
        wrapped = SNNTorchModel(net)
        assert static.parameter_count(net) == package.ParameterCount()(wrapped)
        assert static.footprint(net) == package.Footprint()(wrapped)
        assert static.connection_sparsity(static.weights(net)) == (
            package.ConnectionSparsity()(wrapped))
