"""The emitted Verilog, on its own: read by other tools, simulated without Amaranth."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from spikewright.gen import Folding, Input, InputKind, Reset, simulate, verilog
from spikewright.gen.beats import beats
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.rtl.image import network_image
from spikewright.gen.rtl.network import Network

from .examples import of_everything, two_layers

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
  reg [{bits}-1:0] beats [0:{count}-1];
  reg [7:0] image [0:{bytes}];
  integer sent = 0, loading = {first_byte};
  wire in_ready, out_valid, out_last, counter_valid;
  wire loaded{always};
  wire [31:0] counter_data;
  wire ready = !rst && loading == {bytes} && loaded;
  wire [{index}-1:0] out_index, out_winner;
  wire signed [{score}-1:0] out_score;
  reg out_ready = 0;
  integer results = 0;
  {module} dut(.clk(clk), .rst(rst), .in_valid(ready && sent < {count}), .in_ready(in_ready),
    {inputs},
    .out_valid(out_valid), .out_ready(out_ready), .out_index(out_index), .out_score(out_score),
    .out_winner(out_winner), .out_last(out_last), {load}
    .counter_clear(1'b0), .counter_address({cycles}), .counter_read(results == {samples}),
    .counter_data(counter_data), .counter_valid(counter_valid));
  initial begin
    $readmemh("beats.hex", beats);
    $readmemh("image.hex", image);
    #20 rst = 0;
    #10000000 $display("stuck"); $finish;
  end
  always @(posedge clk) if (!rst) begin
    out_ready <= $random;
    if (loading < {bytes}) loading <= loading + 1;
    if (ready && in_ready && sent < {count}) sent <= sent + 1;
    if (out_valid && out_ready) begin
      $display("%0d %0d %0d %0d", out_index, out_score, out_winner, out_last);
      results <= results + out_last;
    end
    if (counter_valid) begin
      $display("cycles %0d", counter_data);
      $finish;
    end
  end
endmodule
"""


def packed(network, beat):
    """A beat as one word, and where each of its ports is in it: (port, lowest bit, width)."""
    widths = {port.name: port.width for port in verilog.ports(network)}
    word, place, fields = 0, 0, []
    for name in ("event", "address", "value", "tick", "last"):
        width = widths.get(f"in_{name}")
        if width is None:
            continue
        if name in ("tick", "last"):
            value = beat[name]
        else:
            each = width // len(beat["slots"])
            value = sum(number(slot.get(name, 0), network) << (way * each)
                        for way, slot in enumerate(beat["slots"]))
        word |= value << place
        fields.append((f"in_{name}", place, width))
        place += width
    return word, fields


def number(value, network):
    """An address with fields as the number that the port table tells."""
    if not isinstance(value, dict):
        return value
    layout = network.i.payload.shape().slot.members["address"]
    return layout.const(value).as_bits()


def run_icarus(spec, samples, folding, folder):
    """Scores (samples, classes) and winners from Icarus Verilog, inferences back to back and the
    results taken at random; and the cycles it counted."""
    network = Network(spec, folding)
    words = [packed(network, beat)
             for sample in samples for beat in beats(network.plans[0], sample)]
    _, fields = words[0]
    content = network_image(network.plans)
    (folder / "beats.hex").write_text("\n".join(f"{word:x}" for word, _ in words))
    (folder / "image.hex").write_text("\n".join(f"{byte:x}" for byte in content) or "0")
    (folder / "net.v").write_text(verilog.convert(network))
    width = {port.name: port.width for port in verilog.ports(network)}
    load = """.load_begin(!rst && loading == -1), .load_valid(!rst && loading >= 0 && !loaded),
    .load_byte(image[loading]), .loaded(loaded),"""
    (folder / "bench.v").write_text(BENCH.format(
        module=spec.name, bits=sum(size for _, _, size in fields), count=len(words),
        inputs=", ".join(f".{name}(beats[sent][{place} +: {size}])"
                         for name, place, size in fields),
        load=load if content else "", bytes=len(content), first_byte=-1 if content else 0,
        samples=len(samples), index=width["out_index"], score=width["out_score"],
        cycles=f"{width['counter_address']}'d{network.counter_count - 3}",
        always="" if content else " = 1",
    ))
    subprocess.run(["iverilog", "-g2001", "-Wall", "-o", "bench.vvp", "bench.v", "net.v"],
                   cwd=folder, check=True)
    output = subprocess.run(["vvp", "-N", "bench.vvp"], cwd=folder, check=True,
                            capture_output=True, text=True).stdout
    assert "stuck" not in output
    table = np.array([line.split() for line in output.splitlines()
                      if re.fullmatch(r"[-\d ]+", line)], int)
    table = table.reshape(len(samples), spec.classes, 4)
    assert (table[:, :, 0] == np.arange(spec.classes)).all()
    assert (table[:, :, 3] == [0] * (spec.classes - 1) + [1]).all()
    (cycles,) = re.findall(r"^cycles (\d+)$", output, re.MULTILINE)
    return table[:, :, 1], table[:, -1, 2], int(cycles)


def assert_golden(spec, samples, folding, folder):
    golden = simulate(spec, samples, engine="golden")
    scores, winners, cycles = run_icarus(spec, samples, folding, folder)
    assert (scores == golden.scores).all()
    assert (winners == golden.prediction).all()
    assert cycles > 0


def spikes_of(spec, samples=20):
    return np.random.default_rng(0).random((samples, spec.timesteps, spec.inputs)) < 0.3


@needs_icarus
@pytest.mark.parametrize(("reset", "delay", "foldings"), [
    (Reset.SUBTRACT, True, ({"lanes": 12}, {"lanes": 5})),
    (Reset.SUBTRACT, False, ({"lanes": 4, "ways": 3}, {"lanes": 5, "ways": 2, "units": 3})),
    (Reset.ZERO_KEEP_INPUT, True, ({"lanes": 12, "ways": 4, "units": 4}, {"lanes": 2, "ways": 2})),
    (Reset.ZERO_DROP_INPUT, True, ({"lanes": 5}, {"lanes": 3})),
    (Reset.NONE, False, ({"lanes": 1, "ways": 2}, {"lanes": 1})),
])
def test_simulates_to_the_golden_result_in_icarus(tmp_path, reset, delay, foldings):
    spec = two_layers(reset=reset, reset_delay=delay)
    folding = Folding.each(*(LayerFolding(**each) for each in foldings), spec=spec)
    assert_golden(spec, spikes_of(spec), folding, tmp_path)


@needs_icarus
def test_maps_and_a_held_image_in_icarus(tmp_path):
    spec = of_everything()
    samples = np.random.default_rng(1).integers(0, 4, (4, 1, spec.inputs))
    folding = Folding(layers=(
        ("conv1", LayerFolding(slices=2)),
        ("hidden", LayerFolding(lanes=10, ways=3, units=2, slices=2))))
    assert_golden(spec, samples, folding, tmp_path)


@needs_icarus
def test_values_and_loaded_weights_in_icarus(tmp_path):
    """Large memories hold nothing before they are loaded."""
    spec = two_layers(input=Input(kind=InputKind.COUNTS, bits=3))
    samples = np.random.default_rng(1).integers(0, 8, (8, spec.timesteps, spec.inputs))
    folding = Folding.each(LayerFolding(lanes=6, ways=2, slices=3, storage=Storage.LOADABLE),
                           LayerFolding(lanes=5, slices=2, storage=Storage.SPRAM), spec=spec)
    assert_golden(spec, samples, folding, tmp_path)


@needs_verilator
@pytest.mark.parametrize("spec", [two_layers(), of_everything()], ids=["linear", "everything"])
def test_verilator_accepts_it_as_it_stands(tmp_path, spec):
    (tmp_path / "net.v").write_text(verilog.convert(Network(spec, Folding())))
    subprocess.run(["verilator", "--lint-only", "net.v"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("counters", [True, False])
@pytest.mark.parametrize("folding", [
    LayerFolding(), LayerFolding(ways=2, units=2, slices=2),
    LayerFolding(storage=Storage.LOADABLE),
])
def test_the_port_table_is_the_module_s_port_list(folding, counters):
    spec = two_layers()
    network = Network(spec, Folding(default=folding), counters=counters)
    text = verilog.convert(network)
    body = text[text.index("\nmodule snn("):]
    body = body[: body.index("\nendmodule")]
    declared = {
        (name, direction, 1 + int(high or 0))
        for direction, high, name in re.findall(
            r"^  (input|output) (?:signed )?(?:\[(\d+):0\] )?(\w+);", body, re.MULTILINE)
    }
    listed = verilog.ports(network)
    assert declared == {(port.name, port.direction, port.width) for port in listed}
    head = text[: text.index("module")]
    assert spec.digest in head
    assert all(port.name in head for port in listed)


def text_of(spec):
    return verilog.convert(Network(spec, Folding()))


def test_no_name_can_be_taken_for_a_bit_of_another():
    assert not re.search(r"\\\S*\[\d+\]\s", text_of(two_layers()))


def test_the_same_network_gives_the_same_text():
    assert text_of(of_everything()) == text_of(of_everything())
