"""A whole network made for an ECP5, after synthesis and after place-and-route, against golden."""


import numpy as np
import pytest
from amaranth.lib import data

from spikewright.boards.ecp5_netlist import placed_verilog, synthesised_verilog
from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.beats import beats
from spikewright.gen.counters import decode
from spikewright.gen.engines import simulate
from spikewright.gen.folding import LayerFolding
from spikewright.gen.rtl.network import Network

from .benches import SIMULATORS, run
from .ecp5_builds import cells, make

pytestmark = pytest.mark.slow

#: Icarus takes seconds for a sample.
SAMPLES = {"icarus": 4, "verilator": 120}

#: Sends each sample as fast as it is taken, prints its results, then all counters.
BENCH = """
module bench;
    reg clk = 0, clear = 0, i_valid = 0, o_ready = 0, read = 0, take, got;
    // A table whose inputs are not all known gives nothing known.
    reg [{beat}:0] payload = 0, beats [0:{beats}];
    reg [31:0] first [0:{samples}], word, address = 0;
    reg done;
    integer sample, k, n;
    wire i_ready, o_valid, counted;
    wire [{result}:0] result;
    wire [31:0] counter;
    top dut (.clk(clk), .rst(1'b0), .clear(clear), .i__payload(payload), .i__valid(i_valid),
        .i__ready(i_ready), .o__payload(result), .o__valid(o_valid), .o__ready(o_ready),
        .counter_address(address[{address}:0]), .counter_read(read), .counter_data(counter),
        .counter_valid(counted){rest});
    always #5 clk = ~clk;
    initial begin
        $readmemh("beats.hex", beats);
        $readmemh("first.hex", first);
        for (n = 0; n < 8; n = n + 1) @(negedge clk);
        for (sample = 0; sample < {samples}; sample = sample + 1) begin
            clear = 1;
            @(negedge clk);
            clear = 0;
            o_ready = 1;
            done = 0;
            k = first[sample];
            while (!done) begin
                i_valid = k < first[sample + 1];
                payload = beats[k];
                #4 take = i_valid && i_ready;
                got = o_valid;
                if (got) begin
                    $display("%h", result);
                    done = result[{last}];
                end
                @(negedge clk);
                if (take) k = k + 1;
            end
            o_ready = 0;
            for (n = 0; n < {counters}; n = n + 1) begin
                address = n;
                read = 1;
                got = 0;
                while (!got) begin
                    #4 got = counted;
                    word = counter;
                    @(negedge clk);
                end
                read = 0;
                $display("%h", word);
            end
        end
        $finish;
    end
endmodule
"""


def hidden_in_memory() -> NetworkSpec:
    """24 → 40 → 10: enough neurons that their membranes, sums and weights are in block memory, and
    decays by multiplication."""
    rng = np.random.default_rng(11)

    def layer(name: str, fan_in: int, neurons: int) -> Layer:
        return Layer(
            name=name, synapse=Linear(weight=rng.integers(-90, 128, (neurons, fan_in)),
                                      weight_bits=8),
            neuron=Neuron(decay=rng.integers(200, 256, neurons), decay_fraction=8, threshold=300,
                          bias=rng.integers(-5, 6, neurons)),
        )

    return NetworkSpec(input_shape=(24,), layers=(layer("hidden", 24, 40), layer("output", 40, 10)),
                       timesteps=4, name="hidden_in_memory")


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("stage", [synthesised_verilog, placed_verilog])
@pytest.mark.parametrize("name", ["small", "hidden_in_memory"])
def test_netlist_is_golden(name, stage, simulator, small_net, tmp_path):
    spec = {net.name: net for net in (small_net, hidden_in_memory())}[name]
    folding = Folding(default=LayerFolding(units=2, lanes=2))
    make(Network(spec, folding), tmp_path, place=stage is placed_verilog)
    text, _ = stage(tmp_path)

    samples = SAMPLES[simulator]
    rng = np.random.default_rng(5)
    rates = rng.random((samples, 1, 1))
    spikes = rng.random((samples, spec.timesteps, *spec.input_shape)) < rates
    golden = simulate(spec, spikes, engine="golden", folding=folding)
    cycles = simulate(spec, spikes, engine="cycles", folding=folding)

    network = Network(spec, folding)
    lines = run(simulator, tmp_path, text + fill(network, spikes, tmp_path), optimise=True)
    layout = network.o.payload.shape()
    each = spec.classes + network.counter_count
    assert len(lines) == samples * each
    words = np.zeros((samples, network.counter_count), np.int64)
    for sample in range(samples):
        told = lines[sample * each:(sample + 1) * each]
        for line in told[:spec.classes]:
            result = data.Const(layout, int(line, 16))
            assert result.score == golden.scores[sample, result.index]
        assert result.winner == golden.prediction[sample]
        words[sample] = [int(line, 16) for line in told[spec.classes:]]
    counters, of_network = decode(words)
    for key, values in {**counters, **of_network}.items():
        expected = cycles.counters[key] if key in counters else getattr(cycles, key)
        assert np.array_equal(values, expected), key
    kinds = [cell["type"] for cell in cells(tmp_path)]
    print(f"{name}, {stage.__name__}, {simulator}: {samples} samples equal; block memories: "
          f"{kinds.count('DP16KD')}, multipliers: {kinds.count('MULT18X18D')}")


def fill(network: Network, spikes, folder) -> str:
    """:data:`BENCH` for ``spikes``, and its files in ``folder``."""
    layout = network.i.payload.shape()
    sequences = [[layout.const(beat).as_bits() for beat in beats(network.plans[0], sample)]
                 for sample in spikes]
    first = np.cumsum([0, *map(len, sequences)])
    # One more, which the bench looks at but does not send.
    (folder / "beats.hex").write_text(
        "\n".join(f"{word:x}" for sequence in sequences for word in sequence) + "\n0\n")
    (folder / "first.hex").write_text("\n".join(f"{int(n):x}" for n in first) + "\n")
    unused = {"load__begin": 0, "load__byte": 0, "load__valid": 0}
    present = {"__".join(map(str, path)): value for path, _, value
               in network.signature.flatten(network)}
    rest = "".join(f", .{name}(0)" for name in unused if name in present)
    result = network.o.payload.shape()
    return BENCH.format(
        beat=layout.size - 1, beats=int(first[-1]), samples=len(spikes), result=result.size - 1,
        address=len(network.counter_address) - 1, last=result["last"].offset,
        counters=network.counter_count, rest=rest)
