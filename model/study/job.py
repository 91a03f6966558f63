"""What a worker does: train one net, and measure every trial that is about it.

A net lies in a run folder named by its digest, ``runs/DIGEST`` in the study's folder, and is worked
on under a lock that the operating system lets go of when the process ends, however it ends. Whoever
gets the lock next goes on from the last epoch. What a trial prints goes to ``logs/DIGEST.log``.
"""

import os
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext, redirect_stderr
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

from ...gen.engines import simulate
from ...gen.errors import SpikewrightError, one_line
from ...gen.folding_options import folding_of
from ...gen.runfolder import RunFolder, write_json
from ...gen.spec import NetworkSpec
from ...gen.stimulus import Stimulus
from ...gen.summary import summary
from .store import DIED, REFUSED, Store
from .trial import Trial

#: Entry points of what tells the resources of a board: the hardware side, which is not imported.
RESOURCES = "spikewright.resources"

#: Samples that are simulated together.
_BATCH = 256


@dataclass(frozen=True)
class Job:
    """``trials``, all about one net, in the study's ``folder``."""

    folder: str
    trials: tuple[Trial, ...]
    data_root: str | None = None

    @property
    def needs_gpu(self) -> bool:
        """Whether the net asks for a GPU."""
        return self.trials[0].needs_gpu


def work(job: Job, *, quiet: bool = True) -> None:
    """Does ``job``; all that it finds, and each trial that fails, is in the store then. If not
    ``quiet``, progress shows on stderr rather than in the log."""
    from filelock import FileLock

    folder, model = Path(job.folder), job.trials[0].model[:16]
    for part in ("runs", "logs", "locks"):
        (folder / part).mkdir(exist_ok=True)
    with (FileLock(folder / "locks" / model), Store(folder / "study.db") as store,
          (folder / "logs" / f"{model}.log").open("a", encoding="utf-8") as log,
          redirect_stderr(log) if quiet else nullcontext()):
        run = None
        for trial in job.trials:
            if store.finished(trial.key):
                continue
            attempt = store.attempt(trial.key, f"{socket.gethostname()}:{os.getpid()}")
            try:
                run = run or trained(folder / "runs" / model, trial, job.data_root)
                store.finish(trial.key, attempt, measured(run, trial))
            except SpikewrightError as error:  # it would say so again
                store.fail(attempt, REFUSED, one_line(error))
            except Exception as error:
                log.write(traceback.format_exc())
                store.fail(attempt, DIED, one_line(f"{type(error).__name__}: {error}"))


def trained(path: Path, trial: Trial, data_root: str | None) -> RunFolder:
    """The run folder of the net of ``trial``, trained and in integers, or begun and gone on with.

    Raises
    ------
    SpikewrightError
        As training and quantisation do.
    """
    from .. import runs
    from . import converted
    from .learnt import learnt

    root = None if data_root is None else Path(data_root)
    run = RunFolder.create(path)
    if run.results("study"):  # the last that is written
        return run
    begun = perf_counter()
    training = None  # of a net that was not trained to spike
    if trial.method == "conversion":
        figures = converted.train(run, trial.recipe, root)
    else:
        if "checkpoint.pt" in run:
            runs.train(run, trial.recipe, root, resume=True, overwrite=False)
        else:
            runs.train(run, trial.recipe, root, resume=False, overwrite=True)
        run = RunFolder.open(path)
        figures = runs.compile(run, trial.recipe, root)
        training = learnt(RunFolder.open(path), trial.recipe, root)
    run = RunFolder.open(path)
    run.record("study", {
        "method": trial.method, "model": trial.model, "seconds": perf_counter() - begun,
        "training": training,
        **{name: figures[name] for name in ("float_accuracy", "ptq_accuracy", "accuracy")}})
    return RunFolder.open(path)


def measured(run: RunFolder, trial: Trial) -> dict[str, Any]:
    """Figures of ``trial``, also written into ``run`` as ``trials/DIGEST.json``: accuracy in
    integers, cycles and counters of the accelerator by its cycle model, resources, energy."""
    begun = perf_counter()
    hardware, spec, stimulus = trial.hardware, run.spec(), run.stimulus()
    counted = stimulus if hardware["samples"] is None else stimulus[: hardware["samples"]]
    asked = [hardware[name] for name in ("lanes", "ways", "slices")]
    given = any(asked) or not hardware["board"]
    folding = folding_of(asked[0], spec, asked[1], asked[2]) if given else None
    resources = None
    if hardware["board"]:
        folding, resources = _resources()(spec, hardware["board"], folding)
    assert folding is not None
    figures = summary(spec, folding, counted, _traces(spec, counted, folding))
    del figures["per_sample"]
    kept = run.results("study")
    samples, cycles = figures["samples"], figures["cycles"]["mean"]
    spikes = sum(figures["spikes_per_layer"].values()) / samples
    found: dict[str, Any] = {
        # Of all held-back samples.
        **{name: kept[name] for name in ("float_accuracy", "ptq_accuracy", "accuracy", "training")},
        "cycles": cycles, "most_cycles": figures["cycles"]["max"],
        "latency_us": None if resources is None else cycles / resources["clock_mhz"],
        "synops": figures["synops"] / samples, "spikes": spikes,
        "spike_rate": spikes / (figures["timesteps"] * sum(layer.neurons for layer in spec.layers)),
        "input_spikes": figures["input_spikes"] / samples,
        "weight_bits": sum(layer.weights * layer.synapse.weight_bits
                           for layer in spec.layers),
        "logic": None if resources is None else resources["logic"]["used"],
        "blocks": None if resources is None else resources["blocks"]["used"],
        **_energy(spec, counted, folding, hardware["energy"]),
        "resources": resources, "hardware": figures, "spec": spec.digest,
        "version": metadata.version("spikewright"),
        "train_seconds": kept["seconds"], "measure_seconds": perf_counter() - begun,
    }
    with run.writing("study") as folder:
        (folder / "trials").mkdir()
        write_json(folder / "trials" / f"{trial.key[:16]}.json",
                   {"key": trial.key, "settings": trial.settings, **found})
    return found


def _traces(spec: NetworkSpec, stimulus: Stimulus, folding: Any) -> Iterator[Any]:
    for start in range(0, len(stimulus), _BATCH):
        yield simulate(spec, stimulus[start : start + _BATCH].spikes, engine="cycles",
                       folding=folding)


def _energy(spec: NetworkSpec, stimulus: Stimulus, folding: Any, setting: str) -> dict[str, Any]:
    """Both twins' energy, an inference; none, and why, of nets that have no twin."""
    from ...gen.errors import SpecError
    from ..energy.counted import count
    from ..energy.hardware import Hardware
    from ..energy.verdict import judge

    hardware = Hardware.load(setting)
    try:
        verdict = judge(count(spec, stimulus, folding), hardware)
    except SpecError as error:
        return {"energy_pj": None, "qnn_energy_pj": None, "energy": {"refused": one_line(error)}}
    return {"energy_pj": verdict.snn_pj, "qnn_energy_pj": verdict.qnn_pj,
            "energy": verdict.figures(len(stimulus))}


def _resources() -> Callable[..., Any]:
    points = list(metadata.entry_points(group=RESOURCES))
    if not points:
        raise SpikewrightError("no installed part knows boards; reinstall spikewright, or drop "
                               "board from the study")
    return points[0].load()
