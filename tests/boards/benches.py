"""Verilog test benches: a table of input vectors in, what the outputs then are out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from spikewright.boards.ecp5_netlist import MODELS

#: Both simulators, each skipped where it is not installed.
SIMULATORS = [
    pytest.param(name, marks=[
        pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}"),
        *([pytest.mark.slow] if name == "verilator" else []),
    ])
    for name, program in (("icarus", "iverilog"), ("verilator", "verilator"))
]


def run(simulator: str, folder: Path, text: str, *, optimise: bool = False) -> list[str]:
    """The lines that module ``bench`` in ``text`` prints, with the models of the ECP5's cells."""
    (folder / "bench.v").write_text(text)
    if simulator == "icarus":
        build = ["iverilog", "-g2001", "-s", "bench", "-y", str(MODELS), "-o", "bench", "bench.v"]
        simulate = ["vvp", "bench"]
    else:
        build = ["verilator", "--binary", "-Wno-fatal", "-Wno-lint", "-Wno-MULTIDRIVEN",
                 "--timescale", "1ns/1ns", "-y", str(MODELS), "-CFLAGS",
                 "-O1" if optimise else "-O0", "-j", "2", "--top-module", "bench", "bench.v"]
        simulate = ["obj_dir/Vbench"]
    for command in (build, simulate):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return [line for line in done.stdout.splitlines() if not line.startswith("- ")]


def bench(
    folder: Path, ports: dict[str, int], vectors: list[dict[str, int]], body: str, width: int,
    clocks: tuple[str, ...] = (),
) -> str:
    """Module ``bench``: ``ports`` (name → bits) take the values of each of ``vectors``, first all
    but ``clocks``, then these; ``results``, of ``width`` bits, are printed after either. ``body``
    connects them."""
    total = sum(ports.values())
    (folder / "vectors.hex").write_text("\n".join(
        f"{pack(ports, vector):0{(total + 3) // 4}x}" for vector in vectors) + "\n")
    names = list(reversed(ports))
    still = [name for name in names if name not in clocks]
    wires = "".join(f"    reg [{bits - 1}:0] {name}, next_{name};\n"
                    for name, bits in ports.items())
    zeros = " ".join(f"{name} = 0;" for name in names)
    moves = " ".join(f"{name} = next_{name};" for name in still)
    edges = f"{{{', '.join(clocks)}}} = {{{', '.join(f'next_{name}' for name in clocks)}}};" \
        if clocks else ""
    return f"""module bench;
{wires}    wire [{width - 1}:0] results;
    reg [{total - 1}:0] vectors [0:{len(vectors) - 1}];
    integer n;
{body}
    initial begin
        $readmemh("vectors.hex", vectors);
        {zeros}
        #1;
        for (n = 0; n < {len(vectors)}; n = n + 1) begin
            {{{', '.join(f'next_{name}' for name in names)}}} = vectors[n];
            {moves}
            #1 $display("%h", results);
            {edges}
            #1 $display("%h", results);
        end
        $finish;
    end
endmodule
"""


def pack(ports: dict[str, int], vector: dict[str, int]) -> int:
    value = shift = 0
    for name, bits in ports.items():
        value |= vector[name] << shift
        shift += bits
    return value


def fields(line: str, widths: list[int]) -> list[int]:
    """The results of a line, the first in its lowest bits; none of them may be unknown."""
    value, result = int(line, 16), []
    for width in widths:
        result.append(value & (1 << width) - 1)
        value >>= width
    return result
