"""A self-checking Verilog test bench of a generated network, with vectors from the golden model.

It is for people who take the Verilog into a project of their own and have no Python there. Icarus
Verilog and Verilator run it; ``testbench.v`` beside this file is what it is made of, and its header
tells how to run it.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import verilog
from .beats import beats
from .counters import NETWORK_COUNTERS
from .engines import checked, simulate
from .folding import Folding
from .rtl.image import network_image
from .rtl.network import Network
from .spec import Linear, NetworkSpec
from .trace import Trace

#: Input ports of a beat, lowest bits first, as a word of the vectors has them.
_BEAT = ("in_event", "in_address", "in_value", "in_tick", "in_last")

_STORY = {
    "blank": "all that can be loaded is 0, then sample 0; then loaded as it should be",
    "exact": "each alone and as fast as it is taken: scores, winners and every counter, those of "
             "cycles too",
    "stalled": "each alone, with random stalls on both sides: scores, winners and the counters "
               "that follow from spikes",
    "overlapped": "one right after the other, with random stalls on both sides: scores, winners "
                  "and sums of these counters",
}


def convert(network: Network, folding: Folding, signals: npt.ArrayLike) -> dict[str, str]:
    """The test bench of ``network``, whose hardware ``folding`` shapes, and its vectors.

    ``signals`` are samples as :func:`~.engines.simulate` takes them. Returns file name → text:
    ``NAME_tb.v``, and hexadecimal numbers in ``NAME_tb/``: ``beats``, ``begins``, ``results``,
    ``counters``, and ``weights`` if they can be loaded.

    Raises
    ------
    DataError
        If the network does not take the signals.
    """
    spec = network.spec
    samples = checked(spec, np.asarray(signals))
    traces = [simulate(spec, samples, engine="cycles", folding=folding)]
    image = network_image(network.plans)
    if image:
        traces.append(simulate(_blank(network), samples[:1], engine="golden"))
    widths = {port.name: port.width for port in verilog.ports(network)}
    words = [[_word(network, widths, beat) for beat in beats(network.plans[0], sample)]
             for sample in samples]
    begins = np.cumsum([0, *map(len, words)]).tolist()
    vectors = {
        "beats": (word for sample in words for word in sample),
        "begins": begins,
        "results": (word for trace in traces for word in _results(trace, widths)),
        "counters": (word for trace in traces for word in _counters(network, trace)),
    }
    if image:
        vectors["weights"] = image
    folder = f"{spec.name}_tb"
    text = _fill(_template(), {
        **_sizes(network, widths, beats=begins[-1], samples=len(samples), blank=bool(image)),
        **_wiring(network, widths, sorted(vectors)),
        "patience": str(4 * int(traces[0].cycles.max()) + 10_000),  # pyright: ignore
        "bytes": str(len(image)),
        "always_loaded": "" if image else " = 1",
        "functional": _functional(network),
        "unless": ": none, because when it exits early does" if spec.readout.early_exit else "",
    })
    return {f"{folder}.v": text} | {
        f"{folder}/{name}.hex": "".join(f"{word:x}\n" for word in numbers)
        for name, numbers in vectors.items()
    }


def _template() -> str:
    return (Path(__file__).parent / "testbench.v").read_text(encoding="utf-8")


def _fill(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda place: values[place[1]], template)


def _blank(network: Network) -> NetworkSpec:
    """The network while all that can be loaded is 0."""
    layers = []
    for layer, plan in zip(network.spec.layers, network.plans, strict=True):
        if plan.loads:
            own = layer.recurrent
            lost = isinstance(own, Linear) or plan.loads_parameters
            layer = replace(
                layer, synapse=replace(layer.synapse, weight=0 * layer.synapse.weight),
                recurrent=replace(own, weight=0 * own.weight) if own is not None and lost else own)
        if plan.loads_parameters:
            neuron = layer.neuron
            # With neither weights nor biases no membrane leaves 0, and no threshold is below it.
            zeros = {name: 0 for name in ("decay", "bias", "synapse_decay")
                     if getattr(neuron, name) is not None}
            layer = replace(layer, neuron=replace(neuron, **zeros))
        layers.append(layer)
    return replace(network.spec, layers=tuple(layers))


def _word(network: Network, widths: dict[str, int], beat: dict[str, Any]) -> int:
    """``beat`` as one number, the ports of :data:`_BEAT` side by side."""
    address = network.i.payload.shape().slot.members["address"]
    word = place = 0
    for name in (name for name in _BEAT if name in widths):
        width, member = widths[name], name.removeprefix("in_")
        if member in beat:
            value = beat[member]
        else:
            each, value = width // len(beat["slots"]), 0
            for way, slot in enumerate(beat["slots"]):
                field = slot.get(member, 0)
                if isinstance(field, dict):
                    field = address.const(field).as_bits()
                value |= field << (way * each)
        word |= value << place
        place += width
    return word


def _results(trace: Trace, widths: dict[str, int]) -> Iterable[int]:
    """Of each class of each sample: its score, and above it the winner up to there."""
    bits = widths["out_score"]
    for scores, prediction in zip(trace.scores.tolist(), trace.prediction.tolist(), strict=True):
        winner = 0
        for index, score in enumerate(scores):
            if score > scores[winner]:
                winner = index
            yield winner << bits | score & ((1 << bits) - 1)
        assert winner == prediction


def _counters(network: Network, trace: Trace) -> Iterable[int]:
    """The words of the counter port after each sample; 0 where the engine has none."""
    for sample in range(len(trace)):
        for layer in range(len(network.layers)):
            for counter in network.layer_counters:
                known = trace.counters.get(counter.name)
                yield 0 if known is None else int(known[sample, layer])
        for counter in NETWORK_COUNTERS:
            known = getattr(trace, counter.name)
            yield 0 if known is None else int(known[sample])


def _functional(network: Network) -> str:
    """One flag per counter of a layer, the first counter's lowest."""
    flags = "".join(str(int(counter.functional and not network.spec.readout.early_exit))
                    for counter in reversed(network.layer_counters))
    return f"{len(flags)}'b{flags}"


def _sizes(network: Network, widths: dict[str, int], *, beats: int, samples: int,
           blank: bool) -> dict[str, str]:
    spec = network.spec
    bits = sum(widths.get(name, 0) for name in _BEAT)
    passes = [name for name in _STORY if blank or name != "blank"]
    story = [f"//   {name:10}  {_STORY[name]}" for name in passes]
    names = [layer.name for layer in spec.layers]
    names += [counter.name for counter in (*network.layer_counters, *NETWORK_COUNTERS)]
    return {name: str(value) for name, value in {
        "name": spec.name, "digest": spec.digest, "story": "\n".join(story),
        "passes": "three" if len(passes) == 3 else "up to four",
        "samples": samples, "rows": samples + blank, "classes": spec.classes,
        "beats": beats, "beat_bits": bits, "repeat": -(-bits // 32),
        "index_bits": widths["out_index"], "score_bits": widths["out_score"],
        "layers": len(spec.layers), "each": len(network.layer_counters),
        "words": network.counter_count,
        "address_bits": widths["counter_address"], "name_length": max(map(len, names)),
    }.items()}


def _wiring(network: Network, widths: dict[str, int], vectors: list[str]) -> dict[str, str]:
    spec, place = network.spec, 0
    joined = {name: name for name in widths}
    for name in (name for name in _BEAT if name in widths):
        joined[name] = f"in_beat[{place + widths[name] - 1}:{place}]"
        place += widths[name]
    counters = [counter.name for counter in (*network.layer_counters, *NETWORK_COUNTERS)]

    def cases(function: str, names: Iterable[str]) -> str:
        return "\n".join(f'      {number}: {function} = "{name}";'
                         for number, name in enumerate(names))

    return {
        "ports": ",\n".join(f"    .{name}({signal})" for name, signal in joined.items()),
        "layer_names": cases("layer_name", (layer.name for layer in spec.layers)),
        "counter_names": cases("counter_name", counters),
        "read": "\n".join(f'    $readmemh({{vectors, "/{name}.hex"}}, {name});'
                          for name in vectors),
    }
