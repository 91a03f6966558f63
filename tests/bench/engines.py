"""How fast the engines run the hardware of 784 → 128 → 10, beside Verilator on its own.

Times are processor seconds, so that what else the machine does counts little; one process.
"""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from spikewright.gen import Folding, simulate, verilog
from spikewright.gen.compiled import engine
from spikewright.gen.compiled.beats import beat_bytes
from spikewright.gen.compiled.compiler import Design, Simulator, compiled
from spikewright.gen.compiled.observed import observed_network
from spikewright.gen.compiled.tools import cxx, verilator, yosys
from spikewright.gen.rtl.network import Network

from .designs import rivals_job

SAMPLES = 500
ON_AMARANTH = 2
#: Of Verilator on its own and the engine, in turns; the median of their ratios counts.
ROUNDS = 9

#: The same hardware with its weights as constants, fed by a state machine, so that the program
#: has nothing to do but to toggle the clock. All that comes out of it goes into ``check``: what
#: nobody reads, Verilator leaves out.
BENCH = """
module bench(input clk, output done, output reg [31:0] check);
  reg [{width}-1:0] beats [0:{count}-1];
  reg [31:0] n = 0, word = 0, sample = 0;
  reg [2:0] state = 0;
  wire [{width}-1:0] beat = beats[n];
  wire in_ready, out_valid, out_last, counter_valid;
  wire [{index}-1:0] out_index, out_winner;
  wire [{score}-1:0] out_score;
  wire [31:0] counter_data;
  assign done = sample == {samples};
  {name} network(
    .clk(clk), .rst(1'b0), .in_valid(state == 2), .in_ready(in_ready), {fields}
    .out_valid(out_valid), .out_ready(1'b1), .out_last(out_last),
    .out_index(out_index), .out_score(out_score), .out_winner(out_winner),
    .counter_data(counter_data), .counter_clear(state == 1), .counter_address(word[{address}-1:0]),
    .counter_read(state == 4), .counter_valid(counter_valid));
  always @(posedge clk) case (state)
    0: state <= 1;
    1: state <= 2;
    2: if (in_ready) begin n <= n + 1; if (beat[{width}-1]) state <= 3; end
    3: if (out_valid) begin
      check <= {{check[30:0], check[31]}} ^ {{out_index, out_winner, out_score}};
      if (out_last) state <= 4;
    end
    4: if (counter_valid) begin
      check <= {{check[30:0], check[31]}} ^ counter_data;
      word <= word + 1;
      if (word == {words} - 1) begin word <= 0; sample <= sample + 1; state <= 1; end
    end
  endcase
endmodule
"""

TOGGLE = """
#include "model.hpp"
int main(int argc, char **argv) {
  Model model;
  Words beats = model.at("beats"), clk = model.at("clk"), done = model.at("done");
  std::FILE *file = std::fopen(argv[1], "rb");
  for (size_t n = 0; n < beats.depth; n++)
    if (std::fread(beats.bytes + n * beats.stride, beats.stride, 1, file) != 1)
      fail("too few beats");
  while (!done.get()) {
    clk.set(0);
    model.eval();
    clk.set(1);
    model.eval();
  }
}
"""


def measure() -> list[dict]:
    spec, samples = rivals_job(SAMPLES)
    folding = Folding()
    cycles = simulate(spec, samples, engine="cycles", folding=folding).cycles
    assert cycles is not None
    tools = " · ".join((verilator().version, cxx().version.split(" Copyright")[0],
                        ".".join(map(str, yosys().version()))))
    rows, rate = [], {}
    for name in ("verilator", "cxxrtl"):
        row = {"what": f"784 → 128 → 10 on engine {name}", **_compile(spec, folding, name),
               "promised": "≤ 60 s to compile"}
        trace, seconds = _timed(lambda name=name: simulate(
            spec, samples, engine=name, folding=folding, processes=1))
        assert (trace.cycles == cycles).all()
        rate[name] = cycles.sum() / seconds
        rows.append(row | {"cycles": int(cycles.sum()), "cycles_per_s": round(rate[name])})
    bare = _bare(spec, folding, samples)
    turns = []
    for _ in range(ROUNDS):
        _, seconds = _timed(lambda: simulate(spec, samples, engine="verilator", folding=folding,
                                             processes=1))
        turns.append((_timed(bare)[1], seconds))
    rate["bare"] = cycles.sum() / float(np.median([bare for bare, _ in turns]))
    rate["verilator"] = cycles.sum() / float(np.median([engine for _, engine in turns]))
    began = time.process_time()
    few = simulate(spec, samples[:ON_AMARANTH], engine="amaranth", folding=folding).cycles
    assert few is not None
    rate["amaranth"] = few.sum() / (time.process_time() - began)
    return [*rows, {
        "what": "cycles per processor second, 784 → 128 → 10",
        **{f"{name}_cycles_per_s": round(each) for name, each in rate.items()},
        "engine_by_bare_verilator": [round(float(value), 3) for value in np.quantile(
            [bare / engine for bare, engine in turns], (0.5, 0, 1))],
        "engine_by_amaranth": round(rate["verilator"] / rate["amaranth"], 1),
        "promised": "≥ 1 × Verilator's own speed, ≥ 200 × Amaranth's simulator", "tools": tools,
    }]


def _compile(spec, folding: Folding, name: Simulator) -> dict:
    """What it takes with nothing in the cache."""
    network = observed_network(spec, folding)
    text = engine.PROGRAM.read_text(encoding="utf-8")
    with (tempfile.TemporaryDirectory() as folder,
          mock.patch.dict(os.environ, SPIKEWRIGHT_CACHE=folder)):
        began = time.perf_counter()
        _, seconds = _timed(lambda: compiled(network.design, text, name))
    return {"compile_s": round(time.perf_counter() - began, 1),
            "compile_processor_s": round(seconds, 1)}


def _bare(spec, folding: Folding, samples) -> Callable:
    """Runs ``samples`` on Verilator alone, the C++ compiler's -O being the engine's."""
    network = Network(spec, folding)
    widths = {port.name: port.width for port in verilog.ports(network)}
    ports = [(name, widths[name]) for name in ("in_event", "in_address", "in_tick", "in_last")]
    fields, place = "", 0
    for name, width in ports:
        fields += f".{name}(beat[{place + width - 1}:{place}]), "
        place += width
    words = np.concatenate([
        _as_words(np.frombuffer(beats, np.uint8), ports)
        for beats in beat_bytes(network.plans[0], ports, samples)])
    text = verilog.convert(network) + BENCH.format(
        width=place, count=len(words), samples=len(samples), name=spec.name, fields=fields,
        address=widths["counter_address"], words=network.counter_count,
        index=widths["out_index"], score=widths["out_score"])
    design = Design(text, ports=("clk", "done", "check"), memories=("beats",), top="bench",
                    language="verilog")
    program = compiled(design, TOGGLE, "verilator", optimise=engine.OPTIMISE)
    stride = next(size for size in (1, 2, 4, 8) if place <= 8 * size)

    def run():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "beats"
            file.write_bytes(words.astype(f"<u{stride}").tobytes())
            subprocess.run([program, file], check=True)

    return run


def _as_words(content, ports):
    """Beats in whole bytes each port as words of all their bits, the first port lowest."""
    sizes = [-(-width // 8) for _, width in ports]
    table = content.reshape(-1, sum(sizes)).astype(np.uint64)
    words, column, place = np.zeros(len(table), np.uint64), 0, 0
    for (_, width), size in zip(ports, sizes, strict=True):
        for byte in range(size):
            words |= table[:, column + byte] << np.uint64(place + 8 * byte)
        column, place = column + size, place + width
    return words


def _timed(call: Callable):
    """What ``call`` returns, and the processor seconds of the programs that it ran."""
    began = _children()
    result = call()
    return result, _children() - began


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
