import shutil

import numpy as np
import pytest

from spikewright.gen import Folding, simulate
from spikewright.gen.errors import RunFolderError
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.model.energy.counted import count
from spikewright.model.energy.power import ECP5, ICE40, MemoryBits, estimate, memory_bits
from spikewright.model.energy.waveform import Toggles, WaveformError, toggles

from .test_counted import net, stimulus

VCD = """$date today $end
$timescale 1 ns $end
$scope module top $end
$var wire 1 ! clk $end
$var wire 4 " sum [3:0] $end
$var wire 1 # fire $end
$var wire 2 $ \\sum[0] $end
$var wire 8 % \\words[3] $end
$scope module inner $end
$var wire 1 ! clock $end
$var wire 4 " sum $end
$var string 1 & state $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
$dumpvars
0!
b0000 "
1#
b01 $
b1 %
sIdle &
$end
#1
1!
b0111 "
#2
0!
#3
1!
b1000 "
0#
b11 %
#4
0!
#5
1!
bx000 "
"""


def test_toggles_of_a_waveform(tmp_path):
    file = tmp_path / "x.vcd"
    file.write_text(VCD)
    # 0000 → 0111 → 1000 → x000, which counts as 0000: 3 + 4 + 1; and fire fell.
    assert toggles(file) == Toggles(toggles=9, bits=5, cycles=3)
    assert toggles(file).activity == 9 / 15


def test_what_is_no_waveform_is_refused(tmp_path):
    file = tmp_path / "x.vcd"
    with pytest.raises(WaveformError, match="cannot be read"):
        toggles(file)
    file.write_text("hello\n")
    with pytest.raises(WaveformError, match="has no clock"):
        toggles(file)
    file.write_text(VCD[: VCD.index("#1")])
    with pytest.raises(WaveformError, match="holds no cycle"):
        toggles(file)


def test_more_spikes_toggle_more(tmp_path):
    """Of the simulated hardware itself: cycles that do nothing hardly switch anything."""
    spec = net()
    found = []
    for name, rate in (("quiet", 0.0), ("busy", 0.8)):
        file = tmp_path / f"{name}.vcd"
        spikes = np.random.default_rng(0).random((1, 5, 20)) < rate
        simulate(spec, spikes, engine="amaranth", waveform=file)
        found.append(toggles(file))
    assert found[0].bits == found[1].bits
    assert 0 < found[0].toggles < found[1].toggles / 2


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["cxxrtl", "verilator"])
def test_compiled_engines_record_about_the_same_activity(tmp_path, engine):
    """They keep other names of a signal than Amaranth does, so not the same."""
    if engine == "verilator" and shutil.which("verilator") is None:
        pytest.skip("verilator is not installed")
    spikes = np.random.default_rng(0).random((1, 5, 20)) < 0.5
    found = []
    for name in ("amaranth", engine):
        file = tmp_path / f"{name}.vcd"
        simulate(net(), spikes, engine=name, waveform=file)
        found.append(toggles(file))
    assert found[0].cycles == found[1].cycles
    assert 0.75 < found[1].activity / found[0].activity < 1.33
    print(f"{engine}: {found[1].activity:.1%} where amaranth has {found[0].activity:.1%}")


def test_memory_accesses_are_the_counters():
    spec, samples = net(), 7
    folding = Folding.each(LayerFolding(lanes=3, units=2), LayerFolding(), spec=spec)
    counts = count(spec, stimulus(spec, samples), folding)
    first, second = (memory_bits(plan, found, samples) for plan, found in zip(
        layer_plans(spec, folding), counts.layers, strict=True))
    events = counts.layers[0].events / samples
    # Four rows of three lanes, 4 bits a weight; each sum is read and written.
    assert first.weights == pytest.approx(4 * 3 * 4 * events)
    plan = layer_plans(spec, folding)[0]
    assert first.sums == pytest.approx(2 * plan.synapses.sum_bits * (12 * events + 5 * 12))
    assert first.states >= 2 * 5 * 12 * plan.accumulator_bits
    # One row of sums lies in registers.
    assert second.sums == 0


@pytest.mark.parametrize(("fabric", "cells", "used", "available"), [
    (ICE40, "logic cells", 2664, 5280), (ECP5, "LUTs", 9000, 83640)])
def test_an_estimate_adds_up(fabric, cells, used, available):
    built = {"board": "b", "clock_mhz": 12.0,
             "utilisation": {cells: {"used": used, "available": available}}}
    found = estimate(built, 3000.0, [MemoryBits(100.0, 200.0, 300.0)], Toggles(30, 100, 2))
    assert found.activity == 0.15
    assert found.clock_pj == 3000 * available * fabric.clock_pj_per_cell
    assert found.logic_pj == pytest.approx(3000 * used * 0.15 * fabric.toggle_pj)
    assert found.memory_pj == 600 * fabric.memory_pj_per_bit
    low, high = found.range_pj
    assert high / found.total_pj == pytest.approx(found.total_pj / low) == fabric.factor
    assert found.milliwatts == pytest.approx(found.total_pj * 12e6 / 3000 * 1e-9)
    assert found.figures()["scope"] == "modelled FPGA"


def test_coefficients_are_those_of_the_measurement():
    """Currents of the core rail, as the module says: µA · V ÷ MHz is pJ."""
    assert ICE40.clock_pj_per_cell * 5280 == pytest.approx((2184 - 388.4) * 1.219 / 42, rel=1e-3)
    assert ICE40.toggle_pj == pytest.approx((641.3 - 613.5) * 1.219 / 12 / 14, rel=0.02)
    assert ECP5.toggle_pj < ICE40.toggle_pj


def test_another_family_has_no_coefficients():
    with pytest.raises(RunFolderError, match="neither logic cells nor LUTs"):
        estimate({"board": "b", "clock_mhz": 1, "utilisation": {}}, 1.0, [], Toggles(1, 1, 1))
