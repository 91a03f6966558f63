"""What of a waveform people look at, in order, and the files that tell viewers."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from amaranth.hdl import Value
from vcd.gtkw import GTKWFlag, GTKWSave

from .counters import COUNTERS
from .errors import SpikewrightError
from .rtl.network import Network

Kind = Literal["fst", "vcd"]

#: Groups of groups of names of signals, outermost first.
Layout = Mapping[str, Mapping[str, Sequence[str]]]


def waveform_kind(waveform: Path, kinds: Sequence[Kind]) -> Kind:
    """The format of ``waveform`` by its name, one of ``kinds``; SpikewrightError if it is none."""
    for kind in kinds:
        if waveform.suffix.lower() == f".{kind}":
            return kind
    raise SpikewrightError(f"waveform {waveform} is not {' or '.join(kinds)}; name it "
                           f"{waveform.with_suffix(f'.{kinds[0]}').name}")


def make_parent(waveform: Path) -> None:
    """The folder in which ``waveform`` is to be; SpikewrightError if it cannot be made."""
    try:
        waveform.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpikewrightError(f"waveform {waveform} cannot be written ({error.strerror})"
                               ) from error


def layout_files(waveform: Path) -> tuple[Path, Path]:
    """The signal layouts beside ``waveform``: for GTKWave, and for Surfer (a command file)."""
    return waveform.with_suffix(".gtkw"), waveform.with_suffix(".sucl")


def layer_signals(network: Network) -> dict[str, dict[str, dict[str, Value]]]:
    """Of each layer by name: the stream it takes, the router's queue in front of it, its neurons,
    and what its counters count in the cycle; each group as values by name."""
    shown = {}
    for n, layer in enumerate(network.layers):
        queue = {"room": layer.room, "begin": layer.begin}
        counted: dict[str, Value] = {}
        if network.counters is not None:
            if n:
                queue = {"waiting": layer_of(network, n).queue_peak, **queue}
            counted = {counter.name: getattr(layer_of(network, n), counter.name)
                       for counter in COUNTERS if counter.name != "queue_peak"}
        shown[layer.plan.layer.name] = {
            "stream": {"i_valid": layer.i.valid, "i_ready": layer.i.ready,
                       "i_payload": Value.cast(layer.i.payload)},
            "router": queue,
            "neurons": {name: Value.cast(getattr(layer.o, name))
                        for name in ("valid", "step", "end", "last", "spikes", "membranes")},
            "counters": counted,
        }
    return shown


def layer_of(network: Network, n: int):
    """The events that the counters of layer ``n`` count."""
    return getattr(network.counters, f"layer_{n}")


def traces(network: Network) -> dict[str, dict[str, list[Value]]]:
    """The network's input and result, and :func:`layer_signals`, as Amaranth's simulator takes
    them."""
    streams = {"input": network.i, "result": network.o}
    return {
        "network": {name: [beats.valid, beats.ready, Value.cast(beats.payload)]
                    for name, beats in streams.items()},
        **{layer: {group: [*values.values()] for group, values in groups.items()}
           for layer, groups in layer_signals(network).items()},
    }


def write_gtkw(waveform: Path, layout: Layout) -> None:
    """The layout of ``waveform`` for GTKWave, beside it."""
    with layout_files(waveform)[0].open("w", encoding="utf-8") as file:
        save = GTKWSave(file)
        save.dumpfile(str(waveform))
        for part, groups in layout.items():
            with save.group(part):
                for group, names in groups.items():
                    with save.group(group):
                        for name in names:
                            save.trace(name)


def write_sucl(waveform: Path) -> None:
    """The layout for Surfer, from that for GTKWave: dividers instead of nested groups."""
    gtkw, sucl = layout_files(waveform)
    lines, path = [f"load_file {waveform.resolve()}"], []
    opens = closes = False
    for line in gtkw.read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            flags = GTKWFlag(int(line[1:], 16))
            opens, closes = GTKWFlag.grp_begin in flags, GTKWFlag.grp_end in flags
        elif line.startswith("["):
            continue
        elif line.startswith("-"):
            if opens:
                path.append(line[1:])
                lines.append(f"divider_add {' '.join(path)}")
            elif closes:
                path.pop()
        # Names with a backslash are of fields of a signal that stands there already.
        elif "\\" not in line:
            lines.append("variable_add " + re.sub(r"\[\d+:0\]$", "", line))
    sucl.write_text("\n".join([*lines, "zoom_fit", ""]), encoding="utf-8")
