"""Asks the search for trials, hands them to workers, and sees that none is lost."""

from collections import deque
from collections.abc import Callable
from pathlib import Path

from .cluster import Pool
from .job import Job
from .search import Searching
from .settings import Study
from .store import DIED, REFUSED, Row, Store
from .trial import Trial

#: Seconds between looks at the workers.
_LOOK = 1.0


class Driver:
    """Runs ``study`` in ``folder``, whose ``store`` may hold a part of it already."""

    def __init__(self, study: Study, folder: Path, store: Store, searching: Searching, *,
                 data_root: Path | None = None):
        self.study, self.folder, self.store, self.searching = study, folder, store, searching
        self.data_root = None if data_root is None else str(data_root.resolve())
        self._jobs: deque[Job] = deque()
        #: Trials that a search without a list is to be asked for.
        self._asking = True
        self._recall()

    def _recall(self) -> None:
        """Tells the search what the store knows, and takes up what was not finished."""
        for row in self.store.rows(self.study.retries):
            self.searching.remember(row.settings)
            if row.state == "waiting":
                self._jobs.append(self._job([self.study.trial(row.settings)]))
            else:
                self.searching.tell(row.settings, row.figures)

    def known(self) -> int:
        """Trials that need not run any more."""
        return sum(row.state != "waiting" for row in self.store.rows(self.study.retries))

    def list_all(self) -> None:
        """Asks for every trial, and puts those of one net together. For searches that know their
        trials beforehand."""
        trials = []
        while (chosen := self.searching.ask()) is not None:
            trials.append(self.study.trial(chosen))
        self.store.add(*trials)
        waiting = {row.key for row in self.store.rows(self.study.retries)
                   if row.state == "waiting"}
        nets: dict[str, list[Trial]] = {}
        for trial in trials:
            if trial.key in waiting:
                nets.setdefault(trial.model, []).append(trial)
        self._jobs = deque(self._job(trials) for trials in nets.values())
        self._asking = False

    def run(self, pool: Pool, ended: Callable[[Row], None]) -> None:
        """Runs all that is left; ``ended`` hears of every trial that finished or failed.

        Raises
        ------
        StudyError
            If the workers' scheduler has gone.
        """
        while True:
            while (job := self._next(pool)) is not None:
                if not pool.free(gpu=job.needs_gpu):
                    self._jobs.appendleft(job)
                    break
                pool.submit(job)
            if not pool.running and not self._jobs:
                return
            for job, killed in pool.completed(_LOOK):
                self._came_back(job, killed, ended)

    def _next(self, pool: Pool) -> Job | None:
        if self._jobs:
            return self._jobs.popleft()
        # Asked as late as can be, so that a search knows as much as can be.
        if not self._asking or not pool.free(gpu=False):
            return None
        if (chosen := self.searching.ask()) is None:
            return None
        trial = self.study.trial(chosen)
        self.store.add(trial)
        return self._job([trial])

    def _came_back(self, job: Job, killed: str | None, ended: Callable[[Row], None]) -> None:
        if killed is not None:
            self._blame(job, killed)
        left = []
        for trial in job.trials:
            row = self._row(trial)
            if row.state == "waiting":
                left.append(trial)
                continue
            self.searching.tell(row.settings, row.figures)
            ended(row)
        if left:
            self._jobs.append(self._job(left))

    def _blame(self, job: Job, killed: str) -> None:
        """Records as failed the trial that its workers died of. If none had begun, it may have been
        another job's, so all have a death to their name."""
        waiting = [trial for trial in job.trials if self._row(trial).state == "waiting"]
        begun = [trial for trial in waiting if self.store.begun(trial.key)]
        for trial in begun or waiting:
            self.store.fail(self.store.attempt(trial.key, "client"), REFUSED if begun else DIED,
                            killed)

    def _row(self, trial: Trial) -> Row:
        return self.store.row(trial.key, self.study.retries)

    def _job(self, trials: list[Trial]) -> Job:
        return Job(str(self.folder.resolve()), tuple(trials), self.data_root)
