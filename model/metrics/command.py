"""The command ``metrics``: a run's costs and accuracy, by NeuroBench's definitions and by ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...gen.console import Json, finish, progress, table
from ...gen.folding_options import Lanes, Ways
from ...gen.runfolder import RunFolder

if TYPE_CHECKING:
    from torch import nn

    from ...gen.folding import Folding
    from ...gen.spec import NetworkSpec
    from ...gen.stimulus import Stimulus

#: Samples run at a time, so that a whole data set's membranes need not fit in memory.
_BATCH = 256


def metrics(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    samples: Annotated[int | None, typer.Option(
        min=1, help="How many held-back samples, from the first. [default: all]",
        show_default=False)] = None,
    lanes: Lanes = None,
    ways: Ways = None,
    json: Json = False,
) -> None:
    """Measure a run: NeuroBench's metrics, synaptic operations, rates, memory and cycles.

    NeuroBench's are of the network in integers; those of the trained net stand beside them where
    they differ. Cycles are the cycle model's, for --lanes and --ways. All are kept in the run's
    results.json.

    Example: `spikewright metrics runs/demo --json`
    """
    from ...gen.folding_options import folding_of
    from . import static

    folder = RunFolder.open(run)
    spec, stimulus = folder.spec(), folder.stimulus()
    if samples is not None:
        stimulus = stimulus[:samples]
    folding = folding_of(lanes, spec, ways)
    trained = _trained(folder)
    figures = measure(spec, stimulus, folding)
    figures["neurobench"] = {
        **({} if trained is None else {
            "parameter_count": static.parameter_count(trained),
            "footprint_bytes": static.footprint(trained),
            "connection_sparsity_trained": static.connection_sparsity(static.weights(trained)),
        }),
        "connection_sparsity": static.connection_sparsity(static.weights(spec)),
        **figures["neurobench"],
    }
    folder.record("metrics", figures)
    finish({"run": str(run), **figures}, *_tables(str(run), figures), as_json=json)


def measure(spec: NetworkSpec, stimulus: Stimulus, folding: Folding) -> dict[str, Any]:
    """The figures of ``spec`` at work on ``stimulus``, JSON-ready."""
    import numpy as np

    from ...gen.counters import total
    from ...gen.engines import simulate
    from ...gen.folding_options import folded
    from ...gen.plan import layer_plans
    from .memory import layer_memory
    from .workload import Workload

    # The cycle model follows whole inferences only; so do NeuroBench's metrics.
    engine = "golden" if spec.readout.early_exit else "cycles"
    workload, counters, cycles = Workload(spec), [], []
    with progress("measuring", len(stimulus)) as advance:
        for start in range(0, len(stimulus), _BATCH):
            part = stimulus[start : start + _BATCH]
            trace = simulate(spec, part.spikes, engine=engine, folding=folding, membranes=True,
                             progress=advance)
            workload.add(part.spikes, trace, part.labels)
            counters.append(trace.counters)
            if trace.cycles is not None:
                cycles.append(trace.cycles)
    synops = np.concatenate([part["synops"] for part in counters])
    fired = np.concatenate([part["events_out"] for part in counters])
    layers = []
    for i, (layer, plan, rate) in enumerate(zip(
        spec.layers, layer_plans(spec, folding), workload.rates(), strict=True
    )):
        memory = layer_memory(plan)
        layers.append({
            "layer": layer.name,
            "neurons": layer.neurons,
            "rate": rate,
            "events_out": total("events_out", fired[:, i]) / len(stimulus),
            "synops": total("synops", synops[:, i]) / len(stimulus),
            "stored_weight_bits": memory.stored_weights,
            "stored_state_bits": memory.stored_states,
            "packed_weight_bits": memory.packed_weights,
            "packed_state_bits": memory.packed_states,
            "packed_sum_bits": memory.packed_sums,
        })
    counted = np.concatenate(cycles) if cycles else None
    return {
        "samples": len(stimulus),
        "timesteps": spec.steps(stimulus.spikes),
        "neurobench": workload.figures(),
        "synops": float(synops.sum(axis=1).mean()),
        "stored_bytes": _bytes(layers, "stored"),
        "packed_bytes": _bytes(layers, "packed"),
        "layers": layers,
        "cycles": None if counted is None else {
            "mean": float(counted.mean()), "min": int(counted.min()), "max": int(counted.max())},
        **folded(spec, folding),
    }


def _bytes(layers: list[dict[str, Any]], which: str) -> int:
    """Whole bytes of all fields that begin with ``which``."""
    bits = sum(value for layer in layers for name, value in layer.items()
               if name.startswith(which))
    return -(-bits // 8)


def _trained(run: RunFolder) -> nn.Module | None:
    """The net as it was trained, in floats; None if the run was not trained here."""
    if "checkpoint.pt" not in run or "recipe.json" not in run:
        return None
    from .. import nets
    from ..data.stimuli import read_recipe
    from ..training import checkpoint
    from ..training.log import read_log

    log, recipe = read_log(run), read_recipe(run)
    net = nets.build(recipe, log.input_shape, log.classes, merge=recipe.training.merge)
    checkpoint.restore_weights(net, checkpoint.load(run.file("checkpoint.pt", "train")))
    return net


def _tables(run: str, figures: dict[str, Any]) -> list[Any]:
    bench, cycles = figures["neurobench"], figures["cycles"]
    operations = bench["synaptic_operations"]
    accuracy = bench["classification_accuracy"]
    rows = [
        ("classification accuracy", None if accuracy is None else f"{accuracy:.2%}"),
        ("footprint of the trained net, bytes", bench.get("footprint_bytes")),
        ("parameters", bench.get("parameter_count")),
        ("connection sparsity, trained", bench.get("connection_sparsity_trained")),
        ("connection sparsity, integers", bench["connection_sparsity"]),
        ("activation sparsity", bench["activation_sparsity"]),
        *((f"synaptic operations a sample, {name.replace('_', ' ')}", value)
          for name, value in operations.items()),
        ("membrane updates a sample", bench["membrane_updates"]),
    ]
    ours = [
        ("synaptic operations a sample", figures["synops"]),
        ("memory by the contract, bytes", figures["stored_bytes"]),
        ("memory in hardware's words, bytes", figures["packed_bytes"]),
        *((f"cycles, {which}", None if cycles is None else cycles[which])
          for which in ("mean", "min", "max")),
    ]
    return [
        table(f"{run}: NeuroBench", ("metric", "value"), rows),
        table(f"{run}: hardware", ("metric", "value"), ours),
        table("Per layer; operations a sample, memory in bytes",
              ("layer", "neurons", "rate", "synops", "stored", "packed"),
              [(layer["layer"], layer["neurons"], layer["rate"], layer["synops"],
                _bytes([layer], "stored"), _bytes([layer], "packed"))
               for layer in figures["layers"]]),
    ]
