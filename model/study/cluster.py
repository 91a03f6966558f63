"""Where jobs run: Dask workers, of this machine or of a scheduler that is given, or right here.

The driver hands over as many jobs as workers can begin, never more. So the jobs that a dying worker
takes along are those that it worked on, and what Dask says of a job is about that job.
"""

from __future__ import annotations

import atexit
import gc
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Self

from ...gen.errors import one_line
from .job import Job
from .store import StudyError

if TYPE_CHECKING:
    from distributed import Client, Future

#: Seconds until a scheduler that does not answer is given up.
PATIENCE = 30

#: Seconds between looks at what has ended.
_POLL = 0.05

Work = Callable[[Job], None]


class Pool(Protocol):
    """Runs jobs."""

    def free(self, *, gpu: bool) -> bool:
        """Whether a job can begin at once."""
        ...

    def submit(self, job: Job) -> None:
        """Begins ``job``."""
        ...

    @property
    def running(self) -> int:
        """Jobs that were submitted and have not come back."""
        ...

    def completed(self, seconds: float) -> list[tuple[Job, str | None]]:
        """Jobs that ended within so many seconds, each with what kept its workers from the end, if
        something did."""
        ...


class Here:
    """One job after another, in this process."""

    def __init__(self, work: Work):
        self._work, self._jobs = work, list[Job]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def free(self, *, gpu: bool) -> bool:
        return not self._jobs

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    @property
    def running(self) -> int:
        return len(self._jobs)

    def completed(self, seconds: float) -> list[tuple[Job, str | None]]:
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            self._work(job)
        return [(job, None) for job in jobs]


class Workers:
    """Dask workers.

    Parameters
    ----------
    work
        What they do with a job.
    scheduler
        Address of one; None: a cluster of this machine, which ends with this process.
    workers
        Processes of that cluster, one job each.
    gpus
        How many of these have a GPU of their own, which jobs ask for as Dask's resource ``GPU``.
    retries
        How often a job whose worker died begins again. (A scheduler that is given has a number of
        its own, Dask's ``distributed.scheduler.allowed-failures``.)

    Raises
    ------
    StudyError
        If the scheduler does not answer.
    """

    def __init__(self, work: Work, *, scheduler: str | None = None, workers: int = 1, gpus: int = 0,
                 retries: int = 2):
        self._work, self._jobs = work, dict["Future", Job]()
        self._cluster: Any = None
        self._at = scheduler or "this machine"
        self._client = self._connected(scheduler, workers, gpus, retries)

    def _connected(
        self, scheduler: str | None, workers: int, gpus: int, retries: int
    ) -> Client:
        from dask import config
        from distributed import Client, Nanny, Scheduler, SpecCluster

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        if scheduler is not None:
            try:
                return Client(scheduler, timeout=PATIENCE, set_as_default=False)
            except (OSError, ValueError) as error:
                raise StudyError(f"no scheduler answers at {scheduler} ({one_line(error)}); start "
                                 f"one with: dask scheduler") from error
        options: dict[str, Any] = {"nthreads": 1, "memory_limit": 0, "dashboard": False,
                                   "silence_logs": logging.CRITICAL}
        spec = {number: {"cls": Nanny, "options": options | (
            {"resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": str(number)}}
            if number < gpus else {})} for number in range(workers)}
        # Nobody but this machine is let in.
        local = {"host": "127.0.0.1", "dashboard": False, "port": 0, "dashboard_address": ":0"}
        # A job never waits at a worker, so none is blamed for what another one's worker died of.
        with config.set({"distributed.scheduler.allowed-failures": retries,
                         "distributed.scheduler.worker-saturation": 1.0}):
            self._cluster = SpecCluster(
                workers=spec, scheduler={"cls": Scheduler, "options": local})
            client = Client(self._cluster, set_as_default=False)
        client.wait_for_workers(workers, timeout=10 * PATIENCE)
        # Their end is waited for, which is no time to look for garbage in all of PyTorch.
        client.run(atexit.register, gc.freeze)
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close(timeout=5)
        if self._cluster is not None:
            self._cluster.close(timeout=5)

    def free(self, *, gpu: bool) -> bool:
        # Workers may come and go.
        try:
            workers = self._client.scheduler_info(n_workers=-1).get("workers", {}).values()
        except (OSError, TimeoutError) as error:
            raise self._gone() from error
        if gpu:
            slots = sum(worker["resources"].get("GPU", 0) for worker in workers)
            if workers and not slots:
                raise StudyError(f"trials ask for a GPU (training.device 'cuda'), and no worker at "
                                 f"{self._at} offers one; give --gpus, or start workers with: dask "
                                 f"worker --resources GPU=1")
            return sum(job.needs_gpu for job in self._jobs.values()) < slots
        return len(self._jobs) < sum(worker["nthreads"] for worker in workers)

    def submit(self, job: Job) -> None:
        future = self._client.submit(
            self._work, job, pure=False, resources={"GPU": 1} if job.needs_gpu else None)
        self._jobs[future] = job

    @property
    def running(self) -> int:
        return len(self._jobs)

    def completed(self, seconds: float) -> list[tuple[Job, str | None]]:
        until = time.monotonic() + seconds
        while not (done := [future for future in self._jobs if future.done()]):
            if self._client.status != "running":
                raise self._gone()
            if time.monotonic() > until:
                return []
            time.sleep(_POLL)
        ended = []
        for future in done:
            if future.status in ("lost", "cancelled"):
                raise self._gone()
            error = future.exception() if future.status == "error" else None
            ended.append((self._jobs.pop(future), None if error is None else one_line(
                f"{type(error).__name__}: {error}")))
        return ended

    def _gone(self) -> StudyError:
        return StudyError(f"the scheduler at {self._at} has gone; what was finished is kept: start "
                          f"it again, and go on with --resume")
