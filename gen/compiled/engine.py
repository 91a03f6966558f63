"""What the compiled engines share: from samples to a trace."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..counters import CYCLE_COUNTERS, decode, layer_counters
from ..cycles import cycle_limit
from ..engines import Options
from ..faults.images import with_flips
from ..spec import NetworkSpec
from ..trace import Trace
from ..waveforms import Kind, make_parent, waveform_kind, write_gtkw, write_sucl
from .compiler import Simulator, compiled
from .jobs import by_neuron, layer_spikes, run_jobs
from .observed import observed_network
from .tools import cores

#: What each simulator can write, and the scope in which its waveforms have the ports.
WAVEFORMS: dict[Simulator, tuple[Kind, ...]] = {"verilator": ("fst", "vcd"), "cxxrtl": ("vcd",)}
SCOPES = {"verilator": "TOP", "cxxrtl": "top"}

#: The C++ compiler's -O.
OPTIMISE = 2

PROGRAM = Path(__file__).with_name("network.cpp")


def run_compiled(simulator: Simulator, spec: NetworkSpec, signals: npt.NDArray,
                 options: Options) -> Trace:
    """The trace of ``signals`` on the hardware of ``spec``, compiled by ``simulator``; see
    :func:`spikewright.gen.simulate`."""
    path = options.waveform
    kind = waveform_kind(path, WAVEFORMS[simulator]) if path is not None else None
    network = observed_network(spec, options.folding, membranes=options.membranes,
                               shown=path is not None)
    if options.flips is not None:
        network = with_flips(network, options.flips)
    program = compiled(network.design, PROGRAM.read_text(encoding="utf-8"), simulator,
                       waveform=kind, optimise=OPTIMISE)
    if path is not None:
        make_parent(path)
    timesteps = spec.steps(signals)
    records = run_jobs(
        program, network, signals, timesteps=timesteps, classes=spec.classes,
        membranes=options.membranes, limit=cycle_limit(spec, network.plans, signals.shape[1]),
        processes=options.processes or cores(), waveform=path,
        progress=options.progress,
    )
    if path is not None:
        write_gtkw(path, {part: {group: [f"{SCOPES[simulator]}.{name}" for name in names]
                                 for group, names in groups.items()}
                          for part, groups in network.layout.items()})
        write_sucl(path)
    counters, of_network = decode(records["counters"], layer_counters(
        any(plan.synapses.protected for plan in network.plans)))
    accounted = sum(counters[name] for name in CYCLE_COUNTERS)
    assert (accounted == of_network["cycles"][:, np.newaxis]).all(), "cycle counters do not add up"
    plans = list(enumerate(network.plans))
    return Trace(
        engine=simulator,
        spikes=tuple(layer_spikes(plan, records[f"spikes_{n}"]) for n, plan in plans),
        membranes=tuple(by_neuron(plan, records[f"membranes_{n}"]) for n, plan in plans)
        if options.membranes else None,
        scores=records["scores"].copy(),
        prediction=records["prediction"].copy(),
        counters=counters,
        timesteps=records[f"timesteps_{len(plans) - 1}"].copy()
        if spec.readout.early_exit else None,
        cycles=of_network["cycles"],
        first_spike=of_network["first_spike"],
        decision=of_network["decision"],
    )
