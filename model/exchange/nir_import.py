"""NIR graphs (https://neuroir.org) as layers in real numbers, whatever tool wrote them.

======================  ==========================================================================
Affine, Linear, Conv2d  synapses; two matrices behind one another are multiplied into one
Scale                   folded into the weights behind it, or in front of it
SumPool2d, AvgPool2d    pooling of spikes, or a larger kernel behind a Conv2d
Flatten                 as it stands
LIF, CubaLIF, IF        neurons: :mod:`.nir_neurons`; without synapses, those one to one
LI, CubaLI, I           neurons without threshold at the end of the net, read by their membranes
Threshold               the threshold of an LI, CubaLI or I before it; else neurons without memory;
                        behind a SumPool2d of spikes, with θ in [0, 1), max pooling
a synapse from a        recurrence, in the timestep after the spike; a diagonal matrix is one to
neuron back to itself   one; as a subgraph or not
======================  ==========================================================================

What our own export wrote comes back bit for bit, by its metadata. From Python::

    found = load("net.nir", dt=1e-3)
    spec = compile(found.layers, found.input_shape, timesteps=25, bits=4)
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from snntorch import surrogate

from ...gen.errors import MALFORMED, SpecError, UnsupportedModuleError, one_line
from .. import surrogates
from .findings import Findings
from .float_layer import FloatLayer
from .nir_graph import Graph, Node, read
from .nir_neurons import FIRING, INTEGRATING, OURS, Clock, Discretisation, clock
from .nir_parts import Parts

_SYNAPSES = ("Affine", "Linear", "Conv2d")


@dataclass
class Imported:
    """The layers of a NIR graph; empty if ``findings`` refuse a part.

    ``settings`` is what our own export wrote about the run that the net came from; ``integrates``
    says that the last layer has no threshold, so its membranes are the result.
    """

    layers: list[FloatLayer]
    input_shape: tuple[int, ...]
    findings: Findings
    settings: dict[str, Any]
    integrates: bool


def load(
    source: Any, *, dt: float | None = None, discretisation: Discretisation = "euler"
) -> Imported:
    """The net in ``source``, a ``.nir`` file or a :class:`nir.NIRGraph`.

    Parameters
    ----------
    dt
        How long a timestep lasts, in the unit of the file's time constants.
    discretisation
        See :mod:`.nir_neurons`.

    Raises
    ------
    SpecError
        If the file cannot be read, or nothing says how long a timestep lasts. What cannot be
        mapped is no exception but a finding.
    """
    graph = read(source)
    try:
        # A number that is none must not become another one on its way into an array.
        with np.errstate(invalid="raise", over="raise"):
            return _Import(graph, clock(graph, dt, discretisation)).run()
    except SpecError:
        raise
    except MALFORMED as error:
        if not isinstance(source, (str, Path)):
            raise
        raise SpecError(f"{source} lacks or mistypes a field ({one_line(repr(error))}); write it "
                        f"again with a current nir") from error


class _Import:
    """Follows the signals of a graph from its input."""

    def __init__(self, graph: Graph, time: Clock):
        self.graph, self.time, self.findings = graph, time, Findings()
        self.settings = json.loads(graph.metadata.get(f"{OURS}settings", "{}"))
        if not isinstance(self.settings, dict):
            raise TypeError(f"settings are a {type(self.settings).__name__}")

    def run(self) -> Imported:
        graph = self.graph
        inputs = [node for node in graph.nodes.values() if node.kind == "Input"]
        if len(inputs) != 1:
            raise SpecError(f"the graph has {len(inputs)} nodes Input; one is needed")
        first = inputs[0]
        shape = tuple(int(n) for n in np.atleast_1d(np.asarray(first.fields["shape"])))
        self.parts = Parts(shape, self.time, (
            surrogates.build(**self.settings["surrogate"]) if "surrogate" in self.settings
            else surrogate.atan()  # snnTorch's own default
        ), self.findings)
        self._say_time()
        self.findings.add(first.name, "Input", f"inputs {shape}")
        try:
            self._follow(first)
            layers = self.parts.walk.finish() if self.findings.maps else []
        except (UnsupportedModuleError, SpecError) as error:
            layers = []
            self.findings.refuse("graph", "NIRGraph", str(error))
        if not self.findings.maps:
            layers = []
        return Imported(layers, shape, self.findings, self.settings,
                        self.parts.integrates)

    def _say_time(self) -> None:
        time = self.time
        if time.origin == "not needed":
            return
        formula = "1 − dt/τ" if time.method == "euler" else "exp(−dt/τ)"
        said = [f"dt = {time.dt:g}, {time.origin}"] if time.origin.startswith("implied") else []
        self.findings.add("time", "dt", f"{time.method}, β = {formula}, dt = {time.dt:g}", *said)

    def _follow(self, node: Node) -> None:
        recurrent = self._recurrences()
        reached = {node.name}
        while True:
            behind = [self.graph.nodes[name] for name in self.graph.behind(node.name)
                      if name not in recurrent and name != node.name]
            onward = [other for other in behind if other.kind != "Output"] or behind
            for other in behind:
                reached.add(other.name)
                if other.kind == "Output" and onward[0].kind != "Output":
                    self.findings.add(other.name, "Output", "–", f"spikes of {node.name} are no "
                                      f"result of the hardware, which are those of the last layer")
            if len(onward) > 1:
                names = ", ".join(other.name for other in onward)
                self.findings.refuse(node.name, node.kind, f"its signals go to {names}; layers "
                                     f"form one chain in hardware, so merge them into one")
                return
            if not onward:
                raise UnsupportedModuleError(f"{node.shown} leads nowhere; connect the last "
                                             f"neurons to a node Output")
            node = onward[0]
            sources = [name for name in self.graph.before(node.name)
                       if name not in recurrent and name != node.name]
            if len(sources) > 1:
                self.findings.refuse(node.name, node.kind, f"the signals of {', '.join(sources)} "
                                     f"are added; a layer has one source in hardware")
                return
            try:
                self.parts.take(node, [self.graph.nodes[name] for name, owner in recurrent.items()
                                       if owner == node.name],
                                own=node.name in self.graph.behind(node.name))
            except (UnsupportedModuleError, SpecError) as error:
                self.findings.refuse(node.name, node.kind, str(error))
                if node.kind not in ("Affine", "Linear", *FIRING, *INTEGRATING, "Threshold"):
                    return  # it may change shapes, so what follows cannot be judged
                self.parts.go_on(node)
            if node.kind == "Output":
                break
        for name, other in self.graph.nodes.items():
            if name not in reached and name not in recurrent:
                self.findings.refuse(name, other.kind, "the input's signals do not reach it; "
                                     "remove it from the graph")

    def _recurrences(self) -> dict[str, str]:
        """Synapses that lead from neurons back to themselves, and these neurons."""
        return {
            node.name: before[0] for node in self.graph.nodes.values()
            if node.kind in (*_SYNAPSES, "Scale")
            and (before := self.graph.before(node.name)) == self.graph.behind(node.name)
            and len(before) == 1 and self.graph.nodes[before[0]].kind in FIRING
        }
