"""Real processes that are really killed."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from spikewright.model.study.cluster import Workers
from spikewright.model.study.driver import Driver
from spikewright.model.study.job import Job
from spikewright.model.study.search import search
from spikewright.model.study.store import Store, StudyError

from .conftest import TINY

#: Seconds that a slow machine may take for anything.
PATIENCE = 400


def deadly(job: Job) -> None:
    """Kills its process at β = 0.5 always, at β = 0.75 the first time; others take a moment."""
    with Store(Path(job.folder) / "study.db") as store:
        for trial in job.trials:
            beta, again = trial.recipe.net.beta, store.begun(trial.key)
            attempt = store.attempt(trial.key, str(os.getpid()))
            if beta == 0.5 or (beta == 0.75 and not again):
                os._exit(1)
            store.finish(trial.key, attempt, {"accuracy": 0.5, "cycles": 100})


def test_only_the_trial_that_kills_its_workers_fails(make_study, tmp_path):
    study = make_study({"beta": (0.4, 0.5, 0.6, 0.7, 0.75, 0.8)}, retries=1)
    ended = []
    with Store(tmp_path / "study.db") as store, Workers(deadly, workers=2, retries=1) as pool:
        driver = Driver(study, tmp_path, store, search(study))
        driver.list_all()
        driver.run(pool, ended.append)
        rows = store.rows(1)
        assert len(ended) == 6
        assert [row.settings["beta"] for row in rows if row.state == "failed"] == [0.5]
        assert "KilledWorker" in next(row.error for row in rows if row.error)
        # Nobody here has a GPU, and whoever asks hears so, rather than waiting for ever.
        with pytest.raises(StudyError, match="no worker at this machine offers one"):
            pool.free(gpu=True)


def test_a_scheduler_that_is_not_there(monkeypatch):
    monkeypatch.setattr("spikewright.model.study.cluster.PATIENCE", 1)
    with pytest.raises(StudyError, match="no scheduler answers at"):
        Workers(deadly, scheduler="tcp://127.0.0.1:1")


class Processes:
    """Scheduler, workers and clients of one study, each in a session of its own."""

    def __init__(self, folder: Path):
        self.folder, self.all = folder, list[subprocess.Popen]()
        self.out = folder / "out"
        self.schedulers = 0

    def start(self, *command: str) -> subprocess.Popen:
        environment = {**os.environ, "SPIKEWRIGHT_CACHE": str(self.folder / "cache")}
        log = (self.folder / "processes.log").open("ab")
        self.all.append(subprocess.Popen(
            [sys.executable, *command], cwd=self.folder, env=environment, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True))
        return self.all[-1]

    def scheduler(self) -> subprocess.Popen:
        self.schedulers += 1
        self.file = self.folder / f"scheduler{self.schedulers}.json"
        made = self.start("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port",
                          "0", "--no-dashboard", "--scheduler-file", str(self.file))
        wait(self.file.exists)
        time.sleep(1)  # its last byte
        self.address = json.loads(self.file.read_text())["address"]
        return made

    def worker(self) -> subprocess.Popen:
        return self.start("-m", "distributed.cli.dask_worker", "--scheduler-file", str(self.file),
                          "--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--no-nanny",
                          "--death-timeout", "60")

    def client(self, *options: str) -> subprocess.Popen:
        return self.start("-c", "from spikewright.gen.cli import main; main()", "study",
                          "tiny.toml", "-o", str(self.out), *options)

    def results(self) -> dict:
        if not (self.out / "study.db").exists():
            return {}
        with Store(self.out / "study.db") as store:
            return {row.key: row.figures for row in store.rows(2) if row.figures}

    def more(self, before: dict) -> dict:
        """Waits for another result; all of them."""
        wait(lambda: len(self.results()) > len(before))
        return self.results()

    def open_attempts(self, at: str = "") -> set[str]:
        """Trials that somebody works on; only the process ``at``, HOST:PID, if given."""
        with contextlib.closing(sqlite3.connect(self.out / "study.db", timeout=PATIENCE)) as store:
            return {key for key, worker in store.execute(
                "SELECT key, worker FROM attempts WHERE outcome IS NULL") if at in ("", worker)}

    def killed_at_work(self, worker: subprocess.Popen) -> set[str]:
        """Kills ``worker`` in the middle of a trial; that trial."""
        at = f"{socket.gethostname()}:{worker.pid}"
        while True:
            wait(lambda: self.open_attempts(at))
            worker.send_signal(signal.SIGSTOP)
            if cut := self.open_attempts(at):  # it may have ended just now
                kill(worker)
                return cut
            worker.send_signal(signal.SIGCONT)

    def end(self) -> None:
        for process in self.all:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait(happened) -> None:
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.2)


def kill(process: subprocess.Popen) -> None:
    """Without a warning, and for good."""
    assert process.poll() is None, "it had ended before"
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL


@pytest.fixture
def processes(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY.replace("seed = [0, 1, 2]", "seed = [0, 1, 2, 3, 4]"))
    made = Processes(tmp_path)
    yield made
    made.end()


def kept(before: dict, now: dict) -> bool:
    # Figures hold the seconds that they took, so a trial that was run again would differ.
    return all(now.get(key) == figures for key, figures in before.items())


@pytest.mark.slow
def test_killing_worker_scheduler_and_client_in_turn_loses_nothing(processes):
    scheduler = processes.scheduler()
    first, _ = processes.worker(), processes.worker()
    client = processes.client("--scheduler", processes.address)
    after_worker = processes.more({})
    cut = processes.killed_at_work(first)
    before_scheduler = processes.more(after_worker)
    assert kept(after_worker, before_scheduler)

    kill(scheduler)
    assert client.wait(PATIENCE) == 2
    assert "has gone" in (processes.folder / "processes.log").read_text()
    assert kept(before_scheduler, processes.results())

    processes.scheduler()
    processes.worker()
    client = processes.client("--scheduler", processes.address, "--resume")
    before_client = processes.more(processes.results())
    kill(client)
    assert kept(before_client, processes.results())

    # The cluster that a client brings along goes with it, and another one finishes.
    client = processes.client("--workers", "2", "--resume")
    before_all = processes.more(processes.results())
    workers = psutil.Process(client.pid).children(recursive=True)
    kill(client)
    assert workers
    assert not psutil.wait_procs(workers, PATIENCE)[1]
    assert kept(before_client, before_all)
    assert processes.client("--workers", "1", "--resume").wait(PATIENCE) == 0
    results = processes.results()
    assert kept(before_all, results)
    assert cut <= set(results)
    assert len(results) == 20
    print(f"\n{len(results)} trials; kept {len(after_worker)} when a worker was killed, "
          f"{len(before_scheduler)} when the scheduler was, {len(before_client)} when the client "
          f"was, {len(before_all)} when a client went with its workers")
