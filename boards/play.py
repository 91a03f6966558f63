"""Samples played through a board, each compared with the golden model at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..gen.engines import simulate
from ..gen.folding import Folding
from ..gen.plan import layer_plans
from ..gen.rtl.weights import network_image
from ..gen.spec import NetworkSpec
from ..gen.stimulus import Stimulus
from ..gen.trace import Difference, Trace, first_difference, mismatched_samples
from .answers import trace
from .host import CounterWords, Result
from .link import Connection
from .protocol import WrongBitstreamError

#: Samples whose golden results are computed ahead.
BATCH = 16


class Tally:
    """What a board has answered so far.

    Attributes
    ----------
    samples, right, labelled
        Inferences, those that agree with their labels, those that have one.
    counters
        Name → int64 (samples, layers).
    cycles
        int64 (samples,).
    compared, mismatches, spilled
        Samples compared with the golden model, those that differ in anything, those of which what
        needs a clock was not compared because they were longer than the board's buffer.
    first
        The first difference.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding, stimulus: Stimulus, engine: str):
        self.spec, self.folding, self.stimulus = spec, folding, stimulus
        self._engine, self._plans = engine, layer_plans(spec, folding)
        self._answers: list[tuple[Result, CounterWords]] = []
        self.right = self.labelled = self.compared = self.mismatches = self.spilled = 0
        self.first: Difference | None = None

    @property
    def samples(self) -> int:
        return len(self._answers)

    @property
    def accuracy(self) -> float | None:
        return self.right / self.labelled if self.labelled else None

    def add(self, result: Result, counted: CounterWords) -> None:
        """The answer to the next sample."""
        label = int(self.stimulus.labels[self.samples])
        self.labelled += label >= 0
        self.right += label == result.winner
        self._answers.append((result, counted))

    def trace(self, answers: Sequence[tuple[Result, CounterWords]] | None = None) -> Trace:
        """Of ``answers``, all by default."""
        return trace(self._engine, self._plans, self._answers if answers is None else answers)

    def compare(self, reference: Trace) -> None:
        """Compares the last answers, as many as ``reference`` has."""
        begin = self.samples - len(reference)
        said = self.trace(self._answers[begin:])
        names = [layer.name for layer in self.spec.layers]
        found = first_difference(reference, said, names)
        if self.first is None and found is not None:
            self.first = replace(found, sample=begin + found.sample)
        self.mismatches += int(mismatched_samples(reference, said).sum())
        self.spilled += 0 if said.spilled is None else int(said.spilled.sum())
        self.compared += len(reference)


def prepare(board: Connection, spec: NetworkSpec, folding: Folding) -> None:
    """Sees that ``board`` carries ``spec``, folded by ``folding``, and loads the weights that are
    not part of its bitstream.

    Raises
    ------
    WrongBitstreamError
        If it carries anything else.
    LinkError
        If it does not answer as it should.
    """
    said, plans = board.identity, layer_plans(spec, folding)
    said.expect(spec)
    image = network_image(plans)
    if (said.ways, said.load_bytes) != (plans[0].synapses.ways, len(image)):
        raise WrongBitstreamError(
            f"the board's first layer has {said.ways} ways and it loads {said.load_bytes} bytes of "
            f"weights, the build in the run folder has {plans[0].synapses.ways} and "
            f"{len(image)}; program that build"
        )
    if image:
        board.load(image)


def play(board: Connection, tally: Tally, shown: Callable[[], None]) -> None:
    """Sends all samples of ``tally`` to ``board`` and adds its answers; ``shown`` is called after
    each.

    Scores, predictions, and every counter of every layer have to equal those of the cycle model,
    which are the golden model's and its clock's.

    Raises
    ------
    LinkError
        If the board does not answer, or says that something is wrong.
    """
    spec, signals = tally.spec, tally.stimulus.spikes
    for start in range(0, len(signals), BATCH):
        batch = signals[start : start + BATCH]
        reference = simulate(spec, batch, engine="cycles", folding=tally.folding)
        for result, counted in board.observe(spec, np.asarray(batch)):
            tally.add(result, counted)
            shown()
        tally.compare(reference)
        shown()
