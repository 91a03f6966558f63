"""What the hardware takes: cycles of each layer, a board's resources, the Verilog's ports."""

import numpy as np

from ...gen.counters import CYCLE_COUNTERS
from ...gen.cycles import timeline
from ...gen.engines import simulate
from ...gen.plan import layer_plans
from ...gen.traffic import traffic
from .. import figures
from .page import Figure, Section, Table
from .run import FOLDING, RunData


def cycles(run: RunData) -> Section:
    """Cycles of each layer, which of them limits, and when a sample keeps each busy."""
    section = Section("Cycles")
    hardware = run.hardware
    if hardware is None:
        section.missing.append(run.command("simulate") + " --engine amaranth")
        return section
    taken, counters = hardware["cycles"], hardware["counters"]
    section.text = (
        f"{taken['mean']:,.1f} cycles an inference ({taken['min']:,} to {taken['max']:,}) "
        f"over {hardware['samples']} samples on engine {hardware['engine']}. Utilisation is "
        f"synaptic operations ÷ (lanes × cycles)."
    )
    section.tables.append(Table(
        ("layer", "lanes", "utilisation", *next(iter(counters.values()))),
        [(name, f"{hardware['lanes'][name]:,}", f"{hardware['utilisation'][name]:.1%}",
          *(f"{value:,}" for value in counted.values()))
         for name, counted in counters.items()],
        "results.json",
    ))
    split = {name: {kind: counted[kind] for kind in CYCLE_COUNTERS}
             for name, counted in counters.items()}
    section.figures.append(Figure(
        "What each layer did", "results.json",
        figures.svg(figures.cycle_split(split, hardware["samples"]), "Cycles of each layer"),
        f"the four kinds add up to the cycles of an inference. {_limit(split)}",
    ))
    section.figures.append(_timeline(run))
    spikes = np.array(hardware["per_sample"]["input_spikes"])
    each = np.array(hardware["per_sample"]["cycles"])
    if len(set(spikes.tolist())) > 1:
        slope, intercept = np.polyfit(spikes, each, 1).tolist()
        section.figures.append(Figure(
            "Cost follows spikes", "results.json",
            figures.svg(figures.cycles_against_spikes(spikes, each, (slope, intercept)),
                        "Cycles against input spikes"),
            "cycles of each sample, and the least-squares line back to no spikes.",
        ))
    return section


def _limit(split: dict[str, dict[str, int]]) -> str:
    """Which layer the others wait for."""
    def working(name: str) -> float:
        kinds = split[name]
        return (kinds["busy"] + kinds["sweeping"]) / max(1, sum(kinds.values()))

    name = max(split, key=working)
    return f"{name} limits: it works in {working(name):.0%} of them."


def _timeline(run: RunData) -> Figure:
    """By the cycle model, which is exact."""
    signals = run.stimulus.spikes[run.sample : run.sample + 1]
    folding = run.simulated_folding()
    trace = simulate(run.spec, signals, engine="cycles", folding=folding)
    plans = layer_plans(run.spec, folding)
    times = timeline(plans, traffic(plans, signals, trace.spikes), trace.timesteps)
    names = [layer.name for layer in run.spec.layers]
    steps = None if trace.timesteps is None else int(trace.timesteps[0])
    return Figure(
        "Which layer does what when", "stimulus.npz",
        figures.svg(figures.timeline(times, names, 0, steps), "Timeline of the layers"),
        f"held-back sample {run.sample} on the hardware above. Of each layer, above: from the "
        f"first event of a timestep to its last; below: the sweep over its neurons. Where there is "
        f"nothing, it waits.",
    )


def boards(run: RunData) -> Section:
    """Resources, Fmax and clock of each build."""
    section = Section("Boards")
    builds = run.results.get("build", {})
    if not builds:
        section.missing.append(run.command("build") + " --board icebreaker")
        return section
    for name, build in builds.items():
        shares = {what: (row["used"], row["available"])
                  for what, row in build["utilisation"].items() if row["available"]}
        folding = {each: ",".join(map(str, build[each])) for each in FOLDING
                   if each in build}
        fmax = ", ".join(f"{value:g}" for value in build["fmax_mhz"].values())
        section.figures.append(Figure(
            name, f"boards/{name}/build.json",
            figures.svg(figures.resources(shares), f"Resources of {name}"),
            f"{build['device']}, {', '.join(f'{n} {value}' for n, value in folding.items())}; "
            f"Fmax {fmax} MHz, clocked at {build['clock_mhz']:g} MHz.",
        ))
        if not run.is_simulated(build):
            section.text = "The cycles above are not of the lanes of every board."
            section.missing.append(
                run.command("simulate")
                + " --engine amaranth"
                + "".join(f" --{name} {value}" for name, value in folding.items())
            )
    return section


def verilog(run: RunData) -> Section:
    """What `generate` wrote, and its ports."""
    section = Section("Verilog")
    generated = run.results.get("generate")
    if generated is None:
        section.missing.append(run.command("generate"))
        return section
    section.text = f"{generated['lines']:,} lines, module {generated['module']}."
    section.tables.append(Table(
        ("port", "direction", "bits", "meaning"),
        [tuple(port.values()) for port in generated["ports"]], "results.json",
    ))
    return section
