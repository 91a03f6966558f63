"""The compiled engines are the hardware; few structures, because each is compiled."""

import shutil
import subprocess
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import Folding, Input, InputKind, simulate
from spikewright.gen.beats import beats
from spikewright.gen.compiled import engine, tools
from spikewright.gen.compiled.beats import beat_bytes
from spikewright.gen.compiled.compiler import Design, compiled
from spikewright.gen.compiled.observed import observed_network
from spikewright.gen.errors import DataError, SpikewrightError, ToolError
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.trace import first_difference

from .examples import exiting, of_everything, two_layers


def has_compiler() -> bool:
    try:
        tools.cxx()
    except ToolError:
        return False
    return True


needs_compiler = pytest.mark.skipif(
    not has_compiler(), reason="no C++ compiler; pip install 'spikewright[cxx]'")
ENGINES = [
    pytest.param("verilator", marks=pytest.mark.skipif(
        shutil.which("verilator") is None, reason="Verilator is not installed")),
    pytest.param("cxxrtl", marks=needs_compiler),
]


@pytest.fixture(autouse=True)
def _compile_fast(monkeypatch):
    monkeypatch.setattr(engine, "OPTIMISE", 0)


LOADED = {"storage": Storage.LOADABLE, "parameters": Storage.LOADABLE}


def a_net(name):
    """Spec, folding and samples: between the two of them, all that hardware can do."""
    rng = np.random.default_rng(5)
    if name == "everything":
        spec = of_everything()
        folding = Folding(layers=(
            ("conv1", LayerFolding(slices=2, **LOADED)),
            ("hidden", LayerFolding(lanes=10, ways=3, units=2, slices=2))))
        return spec, folding, rng.integers(0, 4, (5, 1, spec.inputs))
    spec = exiting(two_layers(input=Input(kind=InputKind.COUNTS, bits=3)))
    folding = Folding.each(LayerFolding(lanes=6, ways=2, slices=3, **LOADED),
                           LayerFolding(lanes=5, slices=2, storage=Storage.SPRAM), spec=spec)
    samples = rng.integers(0, 8, (9, spec.timesteps, spec.inputs))
    samples[rng.random(samples.shape) < 0.7] = 0
    return spec, folding, samples


def assert_same(spec, folding, samples, name, **options):
    trace = simulate(spec, samples, engine=name, folding=folding, membranes=True, **options)
    for other in ("cycles", "golden"):
        given_ = {"timesteps": trace.timesteps} if other == "golden" else {"folding": folding}
        difference = first_difference(
            simulate(spec, samples, engine=other, membranes=True, **given_), trace)
        assert difference is None, difference
    assert trace.engine == name
    assert all(spikes.any() for spikes in trace.spikes[:-1])
    return trace


@pytest.mark.parametrize(("name", "net"), [
    pytest.param(*engine_.values, net, marks=[*engine_.marks, *slow])
    for engine_, net, slow in zip(ENGINES * 2, ("loaded", "everything", "everything", "loaded"),
                                  ([], [], [pytest.mark.slow], [pytest.mark.slow]), strict=True)
])
@pytest.mark.xdist_group("compiled")
def test_every_spike_membrane_and_counter_is_the_cycle_model_s(name, net):
    spec, folding, samples = a_net(net)
    finished = []
    trace = assert_same(spec, folding, samples, name, processes=2, progress=finished.append)
    assert finished == [1] * len(samples)
    if net == "loaded":
        assert trace.timesteps is not None
        assert (trace.timesteps < spec.timesteps).any()
        # Other weights need no other program.
        assert_same(turned(spec), folding, samples, name)
        one, other = (observed_network(each, folding, membranes=True)
                      for each in (spec, turned(spec)))
        assert one.design == other.design


@pytest.mark.xdist_group("compiled")
@pytest.mark.parametrize("name", ENGINES[1:])
def test_it_is_what_amaranth_simulates(name):
    spec, folding, samples = a_net("everything")
    one, other = (simulate(spec, samples[:2], engine=each, folding=folding, membranes=True)
                  for each in (name, "amaranth"))
    assert first_difference(one, other) is None


def turned(spec):
    """``spec`` with its neurons' weights and biases in other places, so that no bound changes."""
    layers = []
    for layer in spec.layers:
        weight = np.roll(layer.synapse.weight, 1, axis=(0, 1))
        neuron = replace(layer.neuron, bias=np.roll(layer.neuron.bias, 1))
        layers.append(replace(layer, synapse=replace(layer.synapse, weight=weight), neuron=neuron))
    return replace(spec, layers=tuple(layers))


def test_what_memories_hold_is_no_part_of_the_structure():
    spec = two_layers()
    folding = Folding.each(LayerFolding(lanes=4), LayerFolding(lanes=5), spec=spec)
    one, other = (observed_network(each, folding) for each in (spec, turned(spec)))
    assert one.design == other.design
    changed = [memory.path for memory, before in zip(one.memories, other.memories, strict=True)
               if (memory.image != before.image).any()]
    assert any("weights" in path for path in changed)
    assert any("parameters" in path for path in changed)


def test_memories_hold_what_the_network_gave_them():
    spec = two_layers()
    network = observed_network(spec, Folding())
    (memory,) = (memory for memory in network.memories
                 if memory.path.endswith("layer_fc1.synapses.weights_0.memory"))
    bits = np.unpackbits(memory.image, axis=1, count=memory.width, bitorder="little")
    weights = bits.reshape(memory.depth, -1, 4) @ [1, 2, 4, -8]
    assert (weights == spec.layers[0].synapse.weight.T).all()


@settings(deadline=None, max_examples=25)
@given(ways=st.sampled_from([1, 3]), counts=st.booleans(), seed=st.integers(0, 1 << 30),
       density=st.sampled_from([0.0, 0.1, 0.9]))
def test_a_job_s_beats_are_those_of_samples(ways, counts, seed, density):
    spec = two_layers(**{"input": Input(kind=InputKind.COUNTS, bits=3)} if counts else {})
    network = observed_network(spec, Folding.each(LayerFolding(ways=ways), LayerFolding(),
                                                  spec=spec))
    rng = np.random.default_rng(seed)
    samples = rng.integers(1, 8 if counts else 2, (2, 3, spec.inputs)) * (
        rng.random((2, 3, spec.inputs)) < density)

    def as_bytes(beat):
        for name, width in network.beat_ports:
            field, each = name.removeprefix("in_"), width // ways
            slots = [slot.get(field, 0) for slot in beat["slots"]]
            value = beat[field] if field in beat else sum(
                content << way * each for way, content in enumerate(slots))
            yield value.to_bytes(-(-width // 8), "little")

    made = beat_bytes(network.plans[0], network.beat_ports, samples)
    for sample, content in zip(samples, made, strict=True):
        assert content == b"".join(
            part for beat in beats(network.plans[0], sample) for part in as_bytes(beat))


@pytest.mark.xdist_group("compiled")
@pytest.mark.parametrize("name", ENGINES[1:])
def test_a_design_that_hangs_is_told(name, monkeypatch):
    spec, folding, samples = a_net("everything")
    monkeypatch.setattr(engine, "cycle_limit", lambda *_: 30)
    with pytest.raises(SpikewrightError, match=r"sample \d has no result after 30 cycles"):
        simulate(spec, samples, engine=name, folding=folding, membranes=True)


def test_no_processes_are_refused(small_net, small_stimulus):
    with pytest.raises(DataError, match="0 processes asked for; at least 1"):
        simulate(small_net, small_stimulus.spikes, engine="cycles", processes=0)


def test_no_sample_reaches_the_limit():
    spec, folding, samples = a_net("loaded")
    plans = observed_network(spec, folding).plans
    trace = simulate(spec, samples, engine="cycles", folding=folding)
    assert trace.cycles.max() < engine.cycle_limit(spec, plans, samples.shape[1]) < 100_000


WIRE = Design(ports=("a", "b"), text="""
attribute \\top 1
module \\top
  wire width 8 input 1 \\a
  wire width 8 output 2 \\b
  connect \\b \\a
end
""")


def program(last: int) -> str:
    return (f'#include "model.hpp"\nint main() {{ Model model; model.at("a").set(42); '
            f'model.eval(); return model.at("b").get() == 42 ? {last} : 1; }}')


@pytest.fixture
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))


@needs_compiler
@pytest.mark.usefixtures("_own_cache")
def test_any_design_with_any_program_and_twice_at_once():
    made = []
    threads = [threading.Thread(target=lambda: made.append(
        compiled(WIRE, program(7), "cxxrtl", optimise=0))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1]
    assert subprocess.run([made[0]]).returncode == 7
    assert [path.name for path in tools.compiled_folder().iterdir()] == [made[0].name]


@needs_compiler
@pytest.mark.usefixtures("_own_cache")
def test_what_does_not_compile_leaves_a_log_and_nothing_else():
    with pytest.raises(ToolError, match=r"failed with code 1; see .*\.log") as caught:
        compiled(WIRE, "int main() { no such thing }", "cxxrtl", optimise=0)
    log = str(caught.value).rpartition("see ")[2]
    assert "\n" not in str(caught.value)
    with open(log, encoding="utf-8") as file:
        assert "error" in file.read()
    assert [path.name for path in tools.compiled_folder().iterdir()] == ["logs"]


@pytest.mark.usefixtures("_own_cache")
def test_what_yosys_refuses_is_told():
    with pytest.raises(ToolError, match=r"Yosys failed; see .*\.log"):
        compiled(replace(WIRE, text="module nothing"), program(0), "cxxrtl")


def test_tools_that_are_missing_are_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ToolError, match=r"Verilator was not found .*; install it .* cxxrtl"):
        tools.verilator()
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"no C\+\+ compiler .* pip install 'spikewright\[cxx\]'"):
        tools.cxx()
    monkeypatch.setenv("CXX", "no-such-compiler -v")
    with pytest.raises(ToolError, match="CXX names 'no-such-compiler -v', which is no program"):
        tools.cxx()
    monkeypatch.setattr(tools, "find_spec", lambda name: object())
    monkeypatch.delenv("CXX")
    monkeypatch.setattr(tools, "_examined", lambda command, argument: tools.Tool(command, "z"))
    assert tools.cxx().command[1:] == ("-m", "ziglang", "c++")
