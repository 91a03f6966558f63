"""Samples played through a board, each compared with the golden model at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..gen.engines import simulate
from ..gen.folding import Folding
from ..gen.plan import layer_plans
from ..gen.spec import NetworkSpec
from ..gen.stimulus import Stimulus
from ..gen.trace import Difference, Trace, first_difference, mismatched_samples
from ..gen.training import shape_digest
from .answers import trace
from .host import CounterWords, Result
from .link import Connection
from .loads import board_image
from .protocol import WrongBitstreamError, short

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


def prepare(
    board: Connection, spec: NetworkSpec, folding: Folding, built: NetworkSpec | None = None
) -> None:
    """Sees that ``board`` carries ``spec``: its hardware is that of ``built``, folded by
    ``folding``, by default ``spec``'s own, and what can be loaded is, if it carries anything else.

    Raises
    ------
    WrongBitstreamError
        If it has other hardware.
    ShapeError
        If ``spec`` is no training that the hardware takes.
    LinkError
        If it does not answer as it should.
    """
    said, built = board.identity, spec if built is None else built
    if said.shape != short(shape_digest(built, folding)):
        raise WrongBitstreamError(
            f"the board's hardware is {said.shape.hex()}, not that of {built.name} as it was built "
            f"({shape_digest(built, folding)[:16]}); program that build"
        )
    if not said.carries(spec) and (image := board_image(built, folding, spec)):
        board.load(image)
    board.identity.expect(spec)


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
