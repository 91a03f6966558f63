"""Runs compiled networks: samples in, records out, in as many processes as there are cores."""

import subprocess
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import SpikewrightError
from ..plan import LayerPlan
from .beats import beat_bytes
from .observed import ObservedNetwork

#: Samples of one process at most: its input and records must fit in memory.
_CHUNK = 64


def record_type(network: ObservedNetwork, timesteps: int, classes: int,
                membranes: bool) -> np.dtype:
    """What the program tells of one sample."""
    layers = []
    for n, plan in enumerate(network.plans):
        layers += [(f"timesteps_{n}", "<i8"),
                   (f"spikes_{n}", "u1", (timesteps, plan.steps, -(-plan.units // 8)))]
        if membranes:
            layers.append((f"membranes_{n}", "<i8", (timesteps, plan.steps, plan.units)))
    return np.dtype([("prediction", "<i8"), ("scores", "<i8", (classes,)),
                     ("counters", "<i8", (network.counters,)), *layers])


def run_jobs(program: Path, network: ObservedNetwork, samples: npt.NDArray, *, timesteps: int,
             classes: int, membranes: bool, limit: int, processes: int,
             waveform: Path | None = None,
             progress: Callable[[int], None] = lambda samples: None) -> npt.NDArray:
    """(samples,) records of :func:`record_type`, one for each of ``samples``.

    ``limit`` is how many cycles a sample may take. With ``waveform`` all samples run one after
    another in one process, which writes it. ``progress`` is called with the number of samples
    finished since its last call, from any thread, one at a time.

    Raises
    ------
    SpikewrightError
        If a sample takes more than ``limit`` cycles, or the design does what none can.
    """
    kind = record_type(network, timesteps, classes, membranes)
    records = np.empty(len(samples), kind)
    count = len(samples)
    size = count if waveform is not None else min(_CHUNK, -(-count // processes))
    lock = threading.Lock()

    def run(start: int) -> None:
        these = samples[start : start + size]
        job = folder / f"{start}.job"
        with job.open("wb") as file:
            file.writelines(_job(network, these, timesteps, classes, membranes, limit, start,
                                 waveform))
        with (tempfile.TemporaryFile() as errors,
              subprocess.Popen([program, folder / "memories", job], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=errors) as process):
            try:
                for n in range(start, start + len(these)):
                    record = process.stdout.read(kind.itemsize)  # pyright: ignore
                    if len(record) != kind.itemsize:
                        break
                    records[n] = np.frombuffer(record, kind)[0]
                    with lock:
                        progress(1)
                code = process.wait()
            except BaseException:
                process.kill()
                raise
            if code:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise SpikewrightError(
                    f"the compiled network ended with code {code}"
                    + (f": {said}" if said else ""))
        job.unlink()

    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        folder = Path(name)
        with (folder / "memories").open("wb") as file:
            file.write(_word(len(network.memories)))
            for memory in network.memories:
                file.write(_string(memory.name) + _bytes(memory.image.tobytes()))
            file.write(_bytes(network.load))
        with ThreadPoolExecutor(processes) as pool:
            futures = [pool.submit(run, start) for start in range(0, count, size)]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return records


def _job(network: ObservedNetwork, samples: npt.NDArray, timesteps: int, classes: int,
         membranes: bool, limit: int, first: int, waveform: Path | None):
    for number in (first, limit, timesteps, classes, network.counters, len(network.plans)):
        yield _word(number)
    for plan in network.plans:
        yield _string(plan.layer.name)
        for number in (plan.steps, plan.units, plan.membrane_bits if membranes else 0):
            yield _word(number)
    yield _word(len(network.beat_ports))
    for name, _ in network.beat_ports:
        yield _string(name)
    yield _string("" if waveform is None else str(waveform))
    yield _word(len(samples))
    for beats in beat_bytes(network.plans[0], network.beat_ports, samples):
        yield _bytes(beats)


def layer_spikes(plan: LayerPlan, rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Bool (S, T, neurons) of what a layer's steps said, (S, T, steps, ⌈units/8⌉)."""
    bits = np.unpackbits(rows, axis=3, count=plan.units, bitorder="little").view(np.bool_)
    return by_neuron(plan, bits)


def by_neuron(plan: LayerPlan, values: npt.NDArray) -> npt.NDArray:
    """(S, T, neurons) of ``values`` (S, T, steps, units) in the order of the sweep."""
    order = plan.order.reshape(-1)
    units = np.flatnonzero(order >= 0)
    place = np.empty(plan.layer.neurons, np.int64)
    place[order[units]] = units
    return values.reshape(*values.shape[:2], -1)[:, :, place]


def _word(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _bytes(content: bytes) -> bytes:
    return _word(len(content)) + content + bytes(-len(content) % 8)


def _string(text: str) -> bytes:
    return _bytes(text.encode())
