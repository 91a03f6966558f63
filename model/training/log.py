"""``training.json``: what a run's training was on, and how it went, epoch after epoch."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from ...gen.errors import RecipeError, RunFolderError
from ...gen.runfolder import RunFolder
from ..fields import checked

_Side = Annotated[int, Field(ge=1, le=1 << 20)]


class TrainingLog(BaseModel):
    """Those of its entries that are read again."""

    finished: bool
    #: An entry for each epoch.
    history: list[dict[str, Any]]
    #: Shape of one timestep of the input.
    input_shape: Annotated[tuple[_Side, ...], Field(min_length=1, max_length=3)]
    classes: _Side
    #: Digests of the samples; runs of earlier versions have none.
    data: dict[str, str] | None = None


def read_log(run: RunFolder) -> TrainingLog:
    """How ``run`` was trained.

    Raises
    ------
    RunFolderError
        If the file is missing, was changed, or lacks or mistypes an entry.
    """
    entries = run.read_json("training.json", "train")
    try:
        return checked(TrainingLog, entries, str(run.path / "training.json"))
    except RecipeError as error:
        raise RunFolderError(f"{error}; train anew") from error


def finished_log(run: RunFolder) -> TrainingLog:
    """The same; RunFolderError too if the training was stopped."""
    log = read_log(run)
    if not log.finished:
        raise RunFolderError(f"{run.path} was stopped after epoch {len(log.history)}; go on "
                             f"with: spikewright train --resume -o {run.path}")
    return log
