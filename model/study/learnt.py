"""What training alone tells of a net, before there are integers or hardware."""

from pathlib import Path
from typing import Any

import numpy as np

from ...gen.runfolder import RunFolder
from .. import runs
from ..recipe import Recipe
from ..training import trainer as training
from ..training.log import finished_log


def learnt(run: RunFolder, recipe: Recipe, data_root: Path | None) -> dict[str, Any]:
    """``loss`` and ``accuracy`` of the last epoch, and means over the training samples:
    ``input_spikes``, and ``spikes`` of each layer, of the net in floats as it is after training.

    Raises
    ------
    DataError, RunFolderError
        If the data is missing, or the training unfinished.
    """
    last = finished_log(run).history[-1]
    trained = runs.trained_net(run, recipe, data_root)
    forward, samples = runs.forward(trained.net, trained.recipe), trained.samples
    spikes = np.sum([[float(layer.sum()) for layer in activity.spikes]
                     for activity in training.activities(trained.net, forward, samples)], axis=0)
    return {
        "loss": last["loss"], "accuracy": last["accuracy"],
        "input_spikes": float(samples.spikes.sum()) / len(samples),
        "spikes": (spikes / len(samples)).tolist(),
    }
