"""The emitted Verilog, on its own: read by other tools, simulated without Amaranth."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from spikewright.gen import Folding, Reset, SpikewrightError, simulate, verilog
from spikewright.gen.beats import beats

from .examples import two_layers

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"
)
needs_verilator = pytest.mark.skipif(
    shutil.which("verilator") is None, reason="Verilator is not installed"
)

BENCH = """
module bench;
  reg clk = 0, rst = 1;
  always #5 clk = !clk;
  reg [31:0] beats [0:{count}-1];
  integer sent = 0, index;
  wire in_ready, out_valid, out_last;
  wire [31:0] beat = beats[sent];
  wire [{index}:0] out_index, out_winner;
  wire [{count_bits}:0] out_count;
  snn dut(.clk(clk), .rst(rst), .in_valid(!rst && sent < {count}), .in_ready(in_ready),
    .in_address(beat[{address}:0]), .in_event(beat[29]), .in_tick(beat[30]), .in_last(beat[31]),
    .out_valid(out_valid), .out_ready(1'b1), .out_index(out_index), .out_count(out_count),
    .out_winner(out_winner), .out_last(out_last),
    .counter_clear(1'b0), .counter_address(5'd{cycles}), .counter_data());
  initial begin
    $readmemh("beats.hex", beats);
    #20 rst = 0;
    #10000000 $display("stuck"); $finish;
  end
  integer results = 0;
  always @(posedge clk) if (!rst) begin
    if (in_ready && sent < {count}) sent <= sent + 1;
    if (out_valid) begin
      $display("%0d %0d %0d %0d", out_index, out_count, out_winner, out_last);
      results = results + out_last;
      if (results == {samples}) $finish;
    end
  end
endmodule
"""


def run_icarus(spec, spikes, folding, folder):
    """Counts (samples, classes) and winners from Icarus Verilog, inferences back to back."""
    words = [beat.address | beat.event << 29 | beat.tick << 30 | beat.last << 31
             for sample in spikes for beat in beats(sample)]
    (folder / "beats.hex").write_text("\n".join(f"{word:08x}" for word in words))
    (folder / "snn.v").write_text(verilog.convert(spec, folding))
    width = {port.name: port.width for port in verilog.ports(spec)}
    (folder / "bench.v").write_text(BENCH.format(
        count=len(words), samples=len(spikes), address=width["in_address"] - 1,
        index=width["out_index"] - 1, count_bits=width["out_count"] - 1, cycles=18,
    ))
    subprocess.run(["iverilog", "-g2001", "-Wall", "-o", "bench.vvp", "bench.v", "snn.v"],
                   cwd=folder, check=True)
    output = subprocess.run(["vvp", "-N", "bench.vvp"], cwd=folder, check=True,
                            capture_output=True, text=True).stdout
    table = np.array([line.split() for line in output.splitlines()
                      if re.fullmatch(r"[\d ]+", line)], int)
    table = table.reshape(len(spikes), spec.classes, 4)
    assert (table[:, :, 0] == np.arange(spec.classes)).all()
    assert (table[:, -1, 3] == 1).all()
    return table[:, :, 1], table[:, -1, 2]


@needs_icarus
@pytest.mark.parametrize(("reset", "delay", "lanes"), [
    (Reset.SUBTRACT, True, (12, 5)), (Reset.SUBTRACT, False, (1, 1)),
    (Reset.ZERO_KEEP_INPUT, True, (5, 2)), (Reset.ZERO_DROP_INPUT, True, (2, 3)),
    (Reset.ZERO_DROP_INPUT, False, (4, 5)), (Reset.NONE, True, (7, 1)),
])
def test_simulates_to_the_golden_result_in_icarus(tmp_path, reset, delay, lanes):
    spec = two_layers(reset=reset, reset_delay=delay)
    spikes = np.random.default_rng(0).random((20, 8, 20)) < 0.3
    golden = simulate(spec, spikes, engine="golden")
    counts, winners = run_icarus(spec, spikes, Folding.lanes(*lanes, spec=spec), tmp_path)
    assert (counts == golden.scores).all()
    assert (winners == golden.prediction).all()


@needs_verilator
def test_verilator_accepts_it_as_it_stands(tmp_path):
    spec = two_layers()
    (tmp_path / "snn.v").write_text(verilog.convert(spec, Folding.lanes(5, 5, spec=spec)))
    subprocess.run(["verilator", "--lint-only", "snn.v"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("counters", [True, False])
def test_the_port_table_is_the_module_s_port_list(counters):
    spec = two_layers()
    text = verilog.convert(spec, counters=counters)
    body = text[text.index("\nmodule snn("):]
    body = body[: body.index("\nendmodule")]
    declared = {
        (name, direction, 1 + int(high or 0))
        for direction, high, name in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body,
                                                re.MULTILINE)
    }
    listed = verilog.ports(spec, counters=counters)
    assert declared == {(port.name, port.direction, port.width) for port in listed}
    head = text[: text.index("module")]
    assert spec.digest in head
    assert all(port.name in head for port in listed)


def test_no_name_can_be_taken_for_a_bit_of_another():
    assert not re.search(r"\\\S*\[\d+\]\s", verilog.convert(two_layers()))


def test_the_same_network_gives_the_same_text():
    assert verilog.convert(two_layers()) == verilog.convert(two_layers())


def test_a_wrong_folding_is_refused():
    spec = two_layers()
    with pytest.raises(SpikewrightError, match="13 lanes for 12 neurons; allowed are 1 to 12"):
        verilog.convert(spec, Folding.lanes(13, 1, spec=spec))
