"""The self-checking Verilog test bench passes as it stands, and fails if the design is broken."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from spikewright.gen import Folding, Input, InputKind, testbench, verilog
from spikewright.gen.errors import DataError
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.rtl.network import Network

from .examples import exiting, of_everything, two_layers

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None,
                                  reason="Icarus Verilog is not installed")
needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None,
                                     reason="Verilator is not installed")


def several_ways():
    spec = two_layers()
    samples = np.random.default_rng(0).random((3, spec.timesteps, spec.inputs)) < 0.3
    return spec, samples, Folding.each(
        LayerFolding(lanes=4, ways=3), LayerFolding(lanes=5, ways=2, units=3), spec=spec)


def loaded():
    spec = two_layers(input=Input(kind=InputKind.COUNTS, bits=3))
    samples = np.random.default_rng(1).integers(0, 8, (3, spec.timesteps, spec.inputs))
    return spec, samples, Folding.each(
        LayerFolding(lanes=6, ways=2, slices=3, storage=Storage.LOADABLE),
        LayerFolding(lanes=5, slices=2, storage=Storage.SPRAM), spec=spec)


def early():
    spec = exiting(two_layers())
    return spec, np.random.default_rng(2).random((4, spec.timesteps, spec.inputs)) < 0.3, Folding()


def maps():
    spec = of_everything()
    return spec, np.random.default_rng(3).integers(0, 4, (2, 1, spec.inputs)), Folding()


def written(case, folder):
    """The design's text after it and its test bench were written to ``folder``; and its name."""
    spec, samples, folding = case
    network = Network(spec, folding)
    text = verilog.convert(network)
    (folder / f"{spec.name}.v").write_text(text)
    (folder / f"{spec.name}_tb").mkdir()
    for name, content in testbench.convert(network, folding, samples).items():
        (folder / name).write_text(content)
    return text, spec.name


def commands(name, folder):
    """Those that the header of the test bench tells, of Icarus Verilog and of Verilator."""
    head = (folder / f"{name}_tb.v").read_text().split("`timescale")[0]
    icarus, verilator = re.findall(r"^//   \$ (.*)$", head, re.MULTILINE)
    return icarus, verilator


def icarus(name, folder, *arguments):
    return run(" ".join([commands(name, folder)[0], *arguments]), folder)


def run(command, folder):
    """Exit code and what was printed."""
    done = subprocess.run(command, shell=True, cwd=folder, text=True, timeout=400,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def counts(output):
    """What the last line says was checked."""
    found = re.search(r"^PASS \w+: (\d+) samples, seed (\d+): (\d+) scores, (\d+) winners, (\d+) "
                      r"counters in (\d+) cycles$", output, re.MULTILINE)
    assert found, output
    return tuple(map(int, found.groups()))


@needs_icarus
@pytest.mark.parametrize("case", [several_ways, loaded, early])
def test_passes_in_icarus(case, tmp_path):
    spec, samples, _ = made = case()
    _, name = written(made, tmp_path)
    code, output = icarus(name, tmp_path)
    assert code == 0, output
    count, seed, scores, winners, counters, cycles = counts(output)
    assert (count, seed) == (len(samples), 1)
    assert winners == 3 * len(samples) + (case is loaded)
    assert scores == winners * spec.classes
    words, functional = 2 * 10 + 3, 0 if case is early else 2 * 5
    assert counters == len(samples) * (words + functional) + functional * (1 + (case is loaded))
    _, other = icarus(name, tmp_path, "+seed=5")
    assert counts(other)[:5] == (count, 5, scores, winners, counters)
    assert counts(other)[5] != cycles  # other stalls
    assert "warning" not in output.lower()


@needs_icarus
@pytest.mark.slow
def test_maps_pass_in_icarus(tmp_path):
    _, name = written(maps(), tmp_path)
    code, output = icarus(name, tmp_path)
    assert code == 0, output
    assert counts(output)[0] == 2


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("case", [several_ways, loaded])
def test_verilator_does_the_same_in_as_many_cycles(case, tmp_path):
    _, name = written(case(), tmp_path)
    code, output = run(commands(name, tmp_path)[1], tmp_path)
    assert code == 0, output
    assert counts(output) == counts(icarus(name, tmp_path)[1])


def within(text, module, pattern, replacement):
    """``text`` with the first ``pattern`` in ``module`` replaced."""
    start = text.index(f"\nmodule \\{module} ")
    end = text.index("\nendmodule", start)
    body, count = re.subn(pattern, replacement, text[start:end], count=1)
    assert count == 1
    return text[:start] + body + text[end:]


def changed_weights(text):
    """Lane 0 of a bank of weights with its lowest bits the other way round."""
    def broken(words):
        return re.sub(r"'h([0-9a-f]+);",
                      lambda word: f"'h{int(word[1], 16) ^ 1:0{len(word[1])}x};", words[0])

    return within(text, "snn.network.layer_fc1.synapses.weights_0",
                  r"initial begin\n(?:.*;\n)+", broken)


def flipped_operator(text):
    """Of the first neuron unit."""
    return within(text, "snn.network.layer_fc1.array.neurons.unit_0", r" \+ ", " - ")


def stuck_counter(text):
    """All of them, at 0."""
    return text.replace(".counter_data(counter_data)", ".counter_data()", 1).replace(
        "\nendmodule", "\nassign counter_data = 0;\nendmodule", 1)


def never_ready(text):
    return text.replace(".i__ready(in_ready)", ".i__ready()", 1).replace(
        "\nendmodule", "\nassign in_ready = 0;\nendmodule", 1)


BREAKS = {
    changed_weights: r"FAIL pass exact, sample \d: (score|winner|counter \w+ of layer fc\d)",
    flipped_operator: r"FAIL pass exact, sample \d: ",
    stuck_counter: r"FAIL pass exact, sample 0: counter events_in of layer fc1 is 0, expected",
    never_ready: r"FAIL pass exact, sample 0: nothing has moved for \d+ cycles; 0 of the beats",
}


@needs_icarus
@pytest.mark.parametrize("broken", list(BREAKS))
def test_a_broken_design_fails(broken, tmp_path):
    text, name = written(several_ways(), tmp_path)
    wrong = broken(text)
    assert wrong != text
    (tmp_path / f"{name}.v").write_text(wrong)
    code, output = icarus(name, tmp_path, "+patience=2000")
    assert code != 0, output
    assert re.search(BREAKS[broken], output), output
    assert "PASS" not in output
    assert output.count("FAIL") == 1


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("broken", [changed_weights, flipped_operator])
def test_a_broken_design_fails_in_verilator(broken, tmp_path):
    text, name = written(several_ways(), tmp_path)
    (tmp_path / f"{name}.v").write_text(broken(text))
    code, output = run(commands(name, tmp_path)[1], tmp_path)
    assert code != 0, output
    assert re.search(BREAKS[broken], output), output


@needs_icarus
def test_weights_that_do_not_arrive_are_found(tmp_path):
    """What is in the memory from the start is right, so only loading something else tells."""
    spec = two_layers()
    folding = Folding(default=LayerFolding(storage=Storage.LOADABLE))
    samples = np.random.default_rng(4).random((2, spec.timesteps, spec.inputs)) < 0.5
    text, name = written((spec, samples, folding), tmp_path)
    wrong = text.replace(".load__byte(load_byte)", ".load__byte(load_byte ^ 8'h11)", 1)
    assert wrong != text
    (tmp_path / f"{name}.v").write_text(wrong)
    code, output = icarus(name, tmp_path)
    assert code != 0
    assert "FAIL pass blank, sample 0: " in output


@needs_icarus
def test_waves_and_missing_vectors(tmp_path):
    spec = two_layers(inputs=4, hidden=3, classes=2, timesteps=2)
    samples = np.ones((1, spec.timesteps, spec.inputs), np.bool_)
    _, name = written((spec, samples, Folding()), tmp_path)
    code, _ = icarus(name, tmp_path, "+waves")
    assert code == 0
    assert "$enddefinitions" in (tmp_path / f"{name}_tb.vcd").read_text()
    code, output = icarus(name, tmp_path, "+vectors=nowhere")
    assert code != 0
    assert "the vectors are not in nowhere/" in output


def test_refuses_samples_of_another_network():
    network = Network(two_layers(), Folding())
    verilog.convert(network)
    with pytest.raises(DataError, match="takes"):
        testbench.convert(network, Folding(), np.zeros((1, 2, 3), bool))
