"""Whole nets, foldings and samples of every kind through all engines: equal in all they report."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from spikewright.gen import first_difference, simulate
from spikewright.gen.errors import ToolError

from ..gen.memories import poison
from ..gen.test_network import assert_stalls_change_nothing
from .law import COUNTS, budget
from .traces import designs, traces

#: Samples that are run through each compiled structure.
MANY = 400

#: What each engine that is compiled is compared on in one run of many.
CYCLES = ("cycles", "first_spike", "decision", "timesteps")


@pytest.fixture
def _poisoned(monkeypatch):
    """Memories answer nonsense where a read meets a write."""
    poison(monkeypatch)


def assert_agree(design, signals, engines):
    """Spikes, membranes, readout and functional counters as the golden model has them, all other
    counters and cycles as the cycle model."""
    spec, names = design.spec, [layer.name for layer in design.spec.layers]
    model = simulate(spec, signals, engine="cycles", folding=design.folding, membranes=True)
    for engine in engines:
        trace = model if engine == "cycles" else simulate(
            spec, signals, engine=engine, folding=design.folding, membranes=True)
        golden = simulate(spec, signals, engine="golden", membranes=True,
                          timesteps=trace.timesteps)
        found = first_difference(golden, trace, names)
        if found is None and trace.cycles is not None:
            found = first_difference(model, trace, names)
            assert trace.counters.keys() == model.counters.keys()
            for name in CYCLES:
                np.testing.assert_array_equal(getattr(trace, name), getattr(model, name), name)
        COUNTS[f"inferences on {engine}"] += len(signals)
        assert found is None, f"{found}\n{design}"
    COUNTS["structures"] += 1


@pytest.mark.usefixtures("_poisoned")
@budget(12)
@given(design=designs(), seed=st.integers(0, 1 << 32))
def test_interpreted_engines(design, seed):
    assert_agree(design, traces(design.spec, 4, seed), ("cycles", "torch", "amaranth"))


@budget(40)
@given(design=designs(max_size=30), seed=st.integers(0, 1 << 32))
def test_models(design, seed):
    """Those that no hardware is simulated for."""
    assert_agree(design, traces(design.spec, 40, seed), ("cycles", "torch"))


@pytest.mark.usefixtures("_poisoned")
@budget(6)
@given(design=designs(), seed=st.integers(0, 1 << 32),
       pauses=st.tuples(*[st.sampled_from([0.0, 0.3, 0.9])] * 2))
def test_stalls(design, seed, pauses):
    """Inferences back to back, source and sink pausing anywhere."""
    if design.spec.readout.early_exit:
        return  # which inference is dropped when depends on the pauses
    samples = traces(design.spec, 5, seed)
    assert_stalls_change_nothing(design.spec, samples, design.folding, pauses, seed)
    COUNTS["structures"] += 1
    COUNTS["inferences"] += len(samples)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["verilator", "cxxrtl"])
@settings(budget(4), phases=[Phase.explicit, Phase.reuse, Phase.generate])  # each costs a compile
@given(design=designs(max_size=24), seed=st.integers(0, 1 << 32))
def test_compiled_engines(engine, design, seed):
    """A structure takes seconds to compile, and its samples nothing."""
    try:
        assert_agree(design, traces(design.spec, MANY, seed), (engine,))
    except ToolError as error:
        if "install" not in str(error):
            raise
        pytest.skip(str(error))
