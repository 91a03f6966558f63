"""What the report is made of: a run folder's files, and what the golden model says of its network.
"""

from typing import Any

from ...gen.engines import simulate
from ...gen.folding import Folding
from ...gen.folding_options import folding_of
from ...gen.runfolder import RunFolder
from ...gen.spec import NetworkSpec
from ...gen.stimulus import Stimulus
from ...gen.trace import Trace

#: What decides a build's cycles, as options and figures call it.
FOLDING = ("lanes", "ways", "slices")


class RunData:
    """What one run folder holds: nothing else is reported."""

    def __init__(self, folder: RunFolder, sample: int = 0):
        self.folder = folder
        self.spec: NetworkSpec = folder.spec()
        self.stimulus: Stimulus = folder.stimulus()
        self.sample = min(sample, len(self.stimulus) - 1)
        self.trace: Trace = simulate(self.spec, self.stimulus.spikes, engine="golden")
        self.results = self._json("results.json") or {}
        self.training = self._json("training.json")
        self.compiled = self._json("compile.json")
        #: The clocked engine's figures with the most samples.
        clocked = [figures for figures in self.results.get("simulate", {}).values()
                   if figures.get("cycles")]
        self.hardware = max(clocked, key=lambda figures: figures["samples"], default=None)

    def _json(self, name: str) -> Any:
        return self.folder.read_json(name, "report") if name in self.folder else None

    def command(self, command: str) -> str:
        """A command line that fills what is missing."""
        return f"spikewright {command} {self.folder.path}"

    @property
    def architecture(self) -> str:
        """Sizes of input and layers, in order."""
        return " → ".join(str(n) for n in (
            "×".join(map(str, self.spec.input_shape)),
            *(layer.neurons for layer in self.spec.layers),
        ))

    @property
    def subtitle(self) -> str:
        """What else identifies the network."""
        return (f"{self.spec.timesteps} timesteps, {self.spec.weights:,} weights, digest "
                f"{self.spec.digest[:16]}…")

    def is_simulated(self, build: dict[str, Any]) -> bool:
        """Whether the cycles of the report are those of this build's hardware."""
        return self.hardware is not None and build["network"] == self.spec.digest and all(
            list(self.hardware[name].values()) == build[name] for name in FOLDING
            if name in build
        )

    def simulated_folding(self) -> Folding:
        """That of the hardware whose cycles the report tells."""
        assert self.hardware is not None
        given = {name: ",".join(map(str, self.hardware[name].values()))
                 for name in FOLDING if name in self.hardware}
        return folding_of(given["lanes"], self.spec, given.get("ways"), given.get("slices"))
