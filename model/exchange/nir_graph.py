"""A NIR graph as it lies in a file: nodes by name, edges, and nothing that a constructor checked.

The constructors of :mod:`nir` refuse much that other tools write (a scalar beside an array, types
that do not agree), so files are read as plain dictionaries and interpreted here. Subgraphs are
dissolved into the whole: ``rnn`` with a node ``lif`` gives ``rnn.lif``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gen.errors import SpecError, one_line

#: What only hands signals on.
_PASSING = ("Identity",)


@dataclass(frozen=True)
class Node:
    """A node: its ``name``, its ``kind`` (the primitive's name), its parameters and metadata."""

    name: str
    kind: str
    fields: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def shown(self) -> str:
        """As messages call it."""
        return f"node {self.name} ({self.kind})"

    def array(self, name: str) -> npt.NDArray[np.float64]:
        """Parameter ``name`` in float64; SpecError if it is missing or no number."""
        if name not in self.fields:
            raise SpecError(f"{self.shown} has no {name}; write the file again with a current nir")
        try:
            return np.asarray(self.fields[name], np.float64)
        except (TypeError, ValueError) as error:
            raise SpecError(f"{self.shown}: {name} is no number ({error})") from error


@dataclass
class Graph:
    """Nodes by name, and from which to which signals go."""

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]
    metadata: dict[str, Any] = field(default_factory=dict)

    def before(self, name: str) -> list[str]:
        """Names of the nodes whose signals reach ``name``."""
        return [a for a, b in self.edges if b == name]

    def behind(self, name: str) -> list[str]:
        """Names of the nodes that ``name``'s signals reach."""
        return [b for a, b in self.edges if a == name]


def read(source: Any) -> Graph:
    """The graph in a ``.nir`` file, or in a :class:`nir.NIRGraph`, without subgraphs.

    Raises
    ------
    SpecError
        If the file cannot be read, or is not of NIR.
    """
    if not isinstance(source, (str, Path)):
        return _graph(source.to_dict())
    from nir.serialization import hdf2dict  # isort: skip - the package to name if it is missing

    import h5py

    path = Path(source)
    if not path.is_file():
        raise SpecError(f"{path} cannot be read as NIR (there is no such file); give a file that "
                        f"nir.write made")
    try:
        with h5py.File(path, "r") as file:
            return _graph(hdf2dict(file["node"]))
    except SpecError:
        raise
    except Exception as error:  # HDF5 fails in many forms, and what it holds may be anything
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SpecError(f"{path} cannot be read as NIR ({one_line(reason)}); give a file that "
                        f"nir.write made") from error


def _graph(content: Mapping[str, Any]) -> Graph:
    if content.get("type") != "NIRGraph":
        raise SpecError(f"the file holds a {one_line(content.get('type'))}, not a NIRGraph; put "
                        f"the node between Input and Output")
    graph = Graph({}, [], dict(content.get("metadata") or {}))
    for name, entry in content["nodes"].items():
        _add(graph, str(name), entry)
    _connect(graph, content, "")
    for name in [n.name for n in graph.nodes.values() if n.kind in _PASSING]:
        graph.edges = [edge for edge in graph.edges if name not in edge] + [
            (a, b) for a in graph.before(name) for b in graph.behind(name)
        ]
        del graph.nodes[name]
    graph.edges = list(dict.fromkeys(graph.edges))  # some writers repeat edges
    return graph


def _add(graph: Graph, name: str, entry: Mapping[str, Any]) -> None:
    kind = str(entry.get("type"))
    if kind != "NIRGraph":
        fields = {key: value for key, value in entry.items() if key not in ("type", "metadata")}
        graph.nodes[name] = Node(name, kind, fields, dict(entry.get("metadata") or {}))
        return
    for inner, content in entry["nodes"].items():
        if content.get("type") in ("Input", "Output"):
            content = {"type": "Identity", "side": content["type"]}
        _add(graph, f"{name}.{inner}", content)
    for side in ("Input", "Output"):
        found = [inner for inner, content in entry["nodes"].items() if content["type"] == side]
        if len(found) != 1:
            raise SpecError(f"subgraph {name} has {len(found)} nodes {side}; one is needed")
        graph.nodes[f"{name}:{side}"] = Node(f"{name}:{side}", "Identity", {}, {})
        outer, inner = f"{name}:{side}", f"{name}.{found[0]}"
        graph.edges.append((outer, inner) if side == "Input" else (inner, outer))
    _connect(graph, entry, f"{name}.")


def _connect(graph: Graph, content: Mapping[str, Any], prefix: str) -> None:
    """Adds the edges of one (sub)graph; those to and from a subgraph mean its ends."""
    for a, b in content["edges"]:
        a, b = (prefix + (end.decode() if isinstance(end, bytes) else str(end)) for end in (a, b))
        a = f"{a}:Output" if f"{a}:Output" in graph.nodes else a
        b = f"{b}:Input" if f"{b}:Input" in graph.nodes else b
        for end in (a, b):
            if end not in graph.nodes:
                raise SpecError(f"an edge names node {end}, which is not in the graph; write the "
                                f"file again")
        graph.edges.append((a, b))
