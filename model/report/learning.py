"""What was trained, and what became of it in integers."""

from typing import Any

import numpy as np

from ...gen.spec import Conv2d, Layer, OneToOne, SumPool2d
from .. import figures
from .page import Figure, Section, Table
from .run import RunData


def training(run: RunData) -> Section:
    """Accuracy and loss by epoch."""
    section = Section("Training")
    if not run.training:
        section.missing.append(run.command("train -o"))
        return section
    history = run.training["history"]
    accuracy = {
        name: [entry[key] for entry in history]
        for key, name in (("accuracy", "training"), ("held_back_accuracy", "held back"))
    }
    samples = run.training["samples"]
    section.text = (
        f"{len(history)} epochs on {samples['train']:,} samples, seed {run.training['seed']}; "
        f"{samples['held_back']:,} samples were held back and never acted upon."
    )
    section.figures += [
        Figure("Accuracy", "training.json",
               figures.svg(figures.curves(accuracy, "accuracy"), "Accuracy per epoch")),
        Figure("Loss", "training.json", figures.svg(
            figures.curves({"training": [entry["loss"] for entry in history]}, "loss"),
            "Loss per epoch")),
    ]
    return section


def quantisation(run: RunData) -> Section:
    """What rounding cost, and what each layer is made of."""
    section = Section("The network in integers")
    if run.compiled:
        c = run.compiled
        section.text = (
            f"Accuracy on {c['samples']:,} held-back samples: {c['float_accuracy']:.2%} in "
            f"floats, {c['ptq_accuracy']:.2%} rounded, {c['accuracy']:.2%} as built. "
            + " ".join(f"Warning: {warning}." for warning in c["warnings"])
        )
    section.tables.append(Table(
        ("layer", "inputs", "synapses", "neurons", "weight bits", "zero weights", "threshold",
         "decay", "reset", "membrane bits"),
        [(layer.name, f"{layer.inputs:,}", _synapses(layer), f"{layer.neurons:,}",
          layer.synapse.weight_bits, f"{(layer.synapse.weight == 0).mean():.0%}",
          "–" if layer.neuron.threshold is None else _range(layer.neuron.threshold),
          f"{_range(layer.neuron.decay)} / {1 << layer.neuron.decay_fraction}",
          layer.neuron.reset.value + (", delayed" if layer.neuron.reset_delay else ""),
          bounds.membrane_bits)
         for layer, bounds in zip(run.spec.layers, run.spec.bounds, strict=True)],
        "spec.json",
    ))
    for layer in run.spec.layers:
        section.figures.append(Figure(
            f"Weights of {layer.name}", "spec.npz",
            figures.svg(figures.histogram(layer.synapse.weight, layer.synapse.weight_bits),
                        f"Weights of {layer.name}"),
        ))
    return section


def _synapses(layer: Layer) -> str:
    """Pooling, kind of synapse and recurrence in a few words."""
    said = []
    if layer.pool is not None:
        kind = "sum" if isinstance(layer.pool, SumPool2d) else "max"
        said.append(f"{kind} pooling {'×'.join(map(str, layer.pool.kernel))}")
    if isinstance(layer.synapse, Conv2d):
        channels, _, height, width = layer.synapse.weight.shape
        stride = "×".join(map(str, layer.synapse.stride))
        said.append(f"{channels} kernels {height}×{width}, stride {stride}")
    else:
        said.append("all to all")
    if layer.recurrent is not None:
        said.append("recurrent " + (
            "one to one" if isinstance(layer.recurrent, OneToOne) else "all to all"))
    return "; ".join(said)


def _range(value: Any) -> str:
    """One integer, or the lowest and highest of one per neuron."""
    low, high = int(np.min(value)), int(np.max(value))
    return f"{low:,}" if low == high else f"{low:,} … {high:,}"
