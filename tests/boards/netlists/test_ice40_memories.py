"""Memories, against Yosys' models of them, in Icarus."""

import shutil
import subprocess

import numpy as np
import pytest

from spikewright.boards.netlists.ice40_memories import BlockMemory, LargeMemory
from spikewright.boards.netlists.ice40_synthesised import yosys_models
from spikewright.boards.netlists.verilog import VerilogModule
from spikewright.boards.toolchain import find_tool

CYCLES = 3000
BLOCK_PINS = {"RADDR": 11, "WADDR": 11, "WDATA": 16, "MASK": 16, "RCLKE": 1, "RE": 1, "WCLKE": 1,
              "WE": 1}
LARGE_PINS = {"ADDRESS": 14, "DATAIN": 16, "MASKWREN": 4, "WREN": 1, "CHIPSELECT": 1}

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs iverilog")


def own(name: str, memory, pins: dict[str, int], clocks: dict[str, str], tied: dict[str, str],
        output: str) -> str:
    """``memory`` as a module whose ports are single bits, and filled at power-on."""
    bits = [f"{pin}_{n}" if width > 1 else pin for pin, width in pins.items()
            for n in range(width)]
    module = VerilogModule(name, ["clk", *bits], [f"{output}_{n}" for n in range(16)])
    known = {**{bit: bit for bit in bits}, **dict.fromkeys(clocks, "clk"), **tied}
    memory.write(module, lambda pin, default: known.get(pin, default))
    for n in range(16):
        module.assign(f"{output}_{n}", memory.output(n))
    filled = "".join(f"{memory}[{at}] = {word};" for memory, words in module.memories.items()
                     for at, word in enumerate(words))
    return module.text.replace("endmodule", f"initial begin {filled} end endmodule")


def differences(folder, pins: dict[str, int], pairs: list[tuple[str, str, str]], masks: list[str],
                modules: str) -> list[str]:
    """Where each pair, (own instance, Yosys' instance, name), gives different levels on random
    stimulus; an unknown level of Yosys' may be any."""
    drive = " ".join(f"{pin} = {mask};" for pin, mask in zip(pins, masks, strict=True))
    declared = " ".join(f"reg [{width - 1}:0] {pin} = 0;" for pin, width in pins.items())
    wires = "".join(f"wire [15:0] {name}_own, {name}_yosys;\n{mine}\n{theirs}\n"
                    for mine, theirs, name in pairs)
    checks = "".join(f'if ((({name}_own ^ {name}_yosys) === 16\'d0) || (^{name}_yosys === 1\'bx))'
                     f' ; else $display("{name} %d %h %h", n, {name}_own, {name}_yosys);\n'
                     for _, _, name in pairs)
    (folder / "bench.v").write_text(f"""{modules}
module bench;
  reg clk = 0; integer n; {declared}
  {wires}
  initial for (n = 0; n < {CYCLES}; n = n + 1) begin
    {drive} #1 clk = 1; #1 clk = 0; {checks} end
endmodule
""")
    models = yosys_models(find_tool("yosys"))
    subprocess.run(["iverilog", "-g2005-sv", "-s", "bench", "-o", "bench",
                    "-D", "NO_ICE40_DEFAULT_ASSIGNMENTS", "bench.v", models],
                   cwd=folder, check=True, timeout=300)
    done = subprocess.run(["vvp", "bench"], cwd=folder, check=True, capture_output=True, text=True,
                          timeout=300)
    return done.stdout.splitlines()


def joined(pins: dict[str, int]) -> str:
    return ", ".join(f".{pin}_{n}({pin}[{n}])" if width > 1 else f".{pin}({pin})"
                     for pin, width in pins.items() for n in range(width))


def outputs(name: str, pin: str) -> str:
    return ", ".join(f".{pin}_{n}({name}_own[{n}])" for n in range(16))


def test_block_memories_of_all_modes(tmp_path):
    """Words are read while they are written, rows are few so that they meet."""
    words = np.random.default_rng(0).integers(0, 1 << 16, 256).tolist()
    init = ", ".join(
        f".INIT_{line:X}(256'h" + "".join(f"{word:04x}" for word in reversed(
            words[16 * line : 16 * line + 16])) + ")" for line in range(16))
    modules, pairs = "", []
    for write in range(4):
        for read in range(4):
            name = f"w{write}r{read}"
            memory = BlockMemory(name, write, read, "pos", "pos", words)
            modules += own(f"m_{name}", memory, BLOCK_PINS, {"RCLK": "", "WCLK": ""}, {}, "RDATA")
            pairs.append((
                f"m_{name} own_{name}(.clk(clk), {joined(BLOCK_PINS)}, {outputs(name, 'RDATA')});",
                f"SB_RAM40_4K #({init}, .WRITE_MODE({write}), .READ_MODE({read})) yosys_{name}("
                f".RCLK(clk), .WCLK(clk), .RDATA({name}_yosys), "
                + ", ".join(f".{pin}({pin})" for pin in BLOCK_PINS) + ");", name))
    masks = ["$random & 11'h707", "$random & 11'h707", "$random", "$random",
             *["($random & 7) != 0"] * 4]
    assert differences(tmp_path, BLOCK_PINS, pairs, masks, modules) == []


def test_large_memory(tmp_path):
    """Before it is written, and as it is, a large memory gives anything."""
    tied = {"POWEROFF": "1'b1", "SLEEP": "1'b0", "STANDBY": "1'b0"}
    modules = own("m_s", LargeMemory("s"), LARGE_PINS, {"CLOCK": ""}, tied, "DATAOUT")
    pair = (
        f"m_s own_s(.clk(clk), {joined(LARGE_PINS)}, {outputs('s', 'DATAOUT')});",
        "SB_SPRAM256KA yosys_s(.CLOCK(clk), .DATAOUT(s_yosys), .POWEROFF(1'b1), .SLEEP(1'b0), "
        ".STANDBY(1'b0), " + ", ".join(f".{pin}({pin})" for pin in LARGE_PINS) + ");", "s")
    masks = ["$random & 14'h2003", "$random", "$random", "$random", "($random & 7) != 0"]
    assert differences(tmp_path, LARGE_PINS, [pair], masks, modules) == []
