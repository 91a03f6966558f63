"""Networks and run folders for tests of everything that starts from one."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from spikewright.gen import Layer, Linear, NetworkSpec, Neuron, Stimulus, specfile
from spikewright.gen.engines import simulate
from spikewright.gen.runfolder import RunFolder

# `make test` tries the same examples every time. Whoever looks for what it does not find takes
# another profile, --hypothesis-profile=long (as `make verify` does) or overnight, or says how many
# hundreds of examples are tried where it tries one hundred: SPIKEWRIGHT_EXAMPLES=1000000.
settings.register_profile("quick", derandomize=True, max_examples=100)
settings.register_profile("long", max_examples=2_000, print_blob=True)
settings.register_profile("overnight", max_examples=int(
    os.environ.get("SPIKEWRIGHT_EXAMPLES", 100_000)), print_blob=True)
settings.load_profile("overnight" if "SPIKEWRIGHT_EXAMPLES" in os.environ else "quick")


@pytest.fixture(scope="session")
def small_net() -> NetworkSpec:
    """12 inputs → 8 → 4, five timesteps, random weights that spike."""
    rng = np.random.default_rng(7)

    def layer(name: str, fan_in: int, neurons: int) -> Layer:
        return Layer(
            name=name,
            synapse=Linear(weight=rng.integers(-4, 8, (neurons, fan_in)), weight_bits=4),
            neuron=Neuron(decay=13, decay_fraction=4, threshold=11,
                          bias=rng.integers(-1, 2, neurons)),
        )

    return NetworkSpec(input_shape=(12,), layers=(layer("hidden", 12, 8), layer("output", 8, 4)),
                       timesteps=5, name="small")


@pytest.fixture(scope="session")
def small_stimulus(small_net: NetworkSpec) -> Stimulus:
    """Six samples of random spikes, labelled with what the network itself says but for one."""
    spikes = np.random.default_rng(3).random((6, 5, 12)) < 0.4
    labels = simulate(small_net, spikes, engine="golden").prediction.copy()
    labels[0] = (labels[0] + 1) % 4
    return Stimulus(spikes, labels)


@pytest.fixture
def make_run(
    tmp_path: Path, small_net: NetworkSpec, small_stimulus: Stimulus
) -> Callable[..., RunFolder]:
    """Factory of run folders as `compile` leaves them."""

    def make(spec: NetworkSpec = small_net, stimulus: Stimulus = small_stimulus,
             name: str = "run") -> RunFolder:
        run = RunFolder.create(tmp_path / name)
        with run.writing("compile") as folder:
            specfile.save(spec, folder / "spec.json")
            stimulus.save(folder / "stimulus.npz")
        return run

    return make
