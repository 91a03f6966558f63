"""The emitted Verilog, compiled by Verilator: for runs too long for Amaranth's simulator."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Shape

from spikewright.gen import verilog
from spikewright.gen.beats import beats
from spikewright.gen.cache import cache_folder
from spikewright.gen.counters import decode
from spikewright.gen.folding import Folding
from spikewright.gen.rtl.network import Network
from spikewright.gen.spec import NetworkSpec
from spikewright.gen.trace import Trace

BENCH = """
module bench(input clk);
  reg [{width}-1:0] beats [0:{most}-1];
  reg [31:0] n = 0, word = 0, sample = 0, samples;
  reg [2:0] state = 0;
  string file;
  wire [{width}-1:0] beat = beats[n];
  wire in_ready, out_valid, out_last, counter_valid;
  wire [{winner}-1:0] out_winner;
  wire [31:0] counter_data;
  initial begin
    if (!$value$plusargs("beats=%s", file) || !$value$plusargs("samples=%d", samples)) $stop;
    $readmemh(file, beats);
  end
  {name} network(
    .clk(clk), .rst(state == 0), .in_valid(state == 2), .in_ready(in_ready),
    {fields}
    .in_tick(beat[{width}-2]), .in_last(beat[{width}-1]),
    .out_valid(out_valid), .out_ready(1'b1), .out_winner(out_winner), .out_last(out_last),
    .out_index(), .out_score(),
    .counter_clear(state == 1), .counter_address(word[{address}-1:0]),
    .counter_read(state == 4), .counter_data(counter_data), .counter_valid(counter_valid));
  always @(posedge clk) case (state)
    0: state <= 1;
    1: state <= 2;
    2: if (in_ready) begin n <= n + 1; if (beat[{width}-1]) state <= 3; end
    3: if (out_valid && out_last) begin $display("%0d", out_winner); state <= 4; end
    4: if (counter_valid) begin
      $display("%0d", counter_data);
      word <= word + 1;
      if (word == {words} - 1) begin
        word <= 0; sample <= sample + 1; state <= 1;
        if (sample == samples - 1) $finish;
      end
    end
  endcase
endmodule
"""

MAIN = """
#include "Vbench.h"
int main(int argc, char** argv) {
  VerilatedContext context;
  context.commandArgs(argc, argv);
  Vbench top{&context};
  while (!context.gotFinish()) {
    context.timeInc(1);
    top.clk = !top.clk;
    top.eval();
  }
}
"""


def run(spec: NetworkSpec, folding: Folding, samples: npt.NDArray) -> Trace:
    """What the hardware counts for ``samples``, each alone, from the first beat to the result.

    The trace has no spikes, and scores only of which class has most: compare predictions and
    counters.
    """
    network = Network(spec, folding)
    slot = network.i.payload.shape().slot
    names = list(slot.members)
    widths = {name: Shape.cast(member).width for name, member in slot.members.items()}
    ways = network.i.payload.shape().ways
    lines = [_word(beat, names, widths, slot)
             for sample in samples for beat in beats(network.plans[0], sample)]
    width = ways * sum(widths.values()) + 2

    binary = _compiled(spec, network, width, widths, ways)
    with tempfile.NamedTemporaryFile("w", suffix=".hex") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        done = subprocess.run([binary, f"+beats={file.name}", f"+samples={len(samples)}"],
                              capture_output=True, text=True, check=True)
    numbers = np.array([int(line) for line in done.stdout.splitlines() if line.isdigit()])
    table = numbers.reshape(len(samples), -1)
    prediction, (counters, of_network) = table[:, 0], decode(table[:, 1:])
    return Trace(
        engine="verilator", spikes=(), scores=np.eye(spec.classes, dtype=np.int64)[prediction],
        prediction=prediction, counters=counters, **of_network,
    )


def _word(beat, names, widths, slot) -> str:
    """All slots' events, then all addresses, …, then tick and last, from the lowest bit on."""
    word = shift = 0
    for name in names:
        for content in beat["slots"]:
            value = content.get(name, 0)
            if isinstance(value, dict):
                value = slot.members[name].const(value).as_value().value
            word |= value << shift
            shift += widths[name]
    return f"{word | beat['tick'] << shift | beat['last'] << shift + 1:x}"


def _compiled(spec, network, width, widths, ways) -> Path:
    fields, low = "", 0
    for name, bits in widths.items():
        fields += f".in_{name}(beat[{low + ways * bits - 1}:{low}]), "
        low += ways * bits
    ports = {port.name: port.width for port in verilog.ports(network)}
    text = verilog.convert(network)
    bench = BENCH.format(
        name=spec.name, width=width, most=1 << 20, fields=fields, winner=ports["out_winner"],
        address=ports["counter_address"], words=network.counter_count)
    key = hashlib.sha256((text + bench + MAIN).encode()).hexdigest()
    binary = cache_folder() / "verilated" / key
    if binary.exists():
        return binary
    if not shutil.which("verilator"):
        raise SystemExit("make bench needs Verilator; install it with your system's packages")
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("net.v", text), ("bench.sv", bench), ("main.cpp", MAIN)):
            (Path(folder) / name).write_text(content, encoding="utf-8")
        subprocess.run(
            ["verilator", "--cc", "--exe", "--build", "-j", "2", "--top-module", "bench",
             "-Wno-fatal", "-Wno-WIDTH", "-O3", "-CFLAGS", "-O1", "bench.sv", "net.v", "main.cpp"],
            cwd=folder, check=True, capture_output=True, text=True)
        shutil.copy(Path(folder) / "obj_dir" / "Vbench", binary)
    return binary
