from pathlib import Path

import pytest

from spikewright.model.study.cluster import Here
from spikewright.model.study.driver import Driver
from spikewright.model.study.search import search
from spikewright.model.study.store import DIED, Store


def figures(trial):
    return {"accuracy": trial.recipe.net.beta, "cycles": 100}


def works(job):
    with Store(Path(job.folder) / "study.db") as store:
        for trial in job.trials:
            store.finish(trial.key, store.attempt(trial.key, "here"), figures(trial))


def dies_at(beta, seen):
    """Like :func:`works`, but every trial with that β dies."""

    def work(job):
        with Store(Path(job.folder) / "study.db") as store:
            for trial in job.trials:
                attempt = store.attempt(trial.key, "here")
                seen.append(trial.key)
                if trial.recipe.net.beta == beta:
                    store.fail(attempt, DIED, "no luck")
                else:
                    store.finish(trial.key, attempt, figures(trial))

    return work


def run(study, folder, work):
    """What ended, in order."""
    ended = []
    with Store(folder / "study.db") as store:
        driver = Driver(study, folder, store, search(study))
        if study.search.kind != "optuna":
            driver.list_all()
        driver.run(Here(work), ended.append)
        return ended, store.rows(study.retries)


def test_every_trial_ends_and_none_twice(make_study, tmp_path):
    study = make_study({"beta": (0.5, 0.75), "seed": (0, 1), "lanes": ("8,1", "4,1")})
    ended, rows = run(study, tmp_path, works)
    assert len(ended) == 8
    assert {row.state for row in rows} == {"finished"}
    assert run(study, tmp_path, works)[0] == []


def test_trials_of_one_net_are_one_job(make_study, tmp_path):
    jobs = []

    def work(job):
        jobs.append(job)
        works(job)

    run(make_study({"seed": (0, 1), "lanes": ("8,1", "4,1")}), tmp_path, work)
    assert [len(job.trials) for job in jobs] == [2, 2]


def test_a_trial_that_dies_is_tried_again_then_recorded(make_study, tmp_path):
    seen = []
    study = make_study({"beta": (0.5, 0.75)}, retries=2)
    ended, rows = run(study, tmp_path, dies_at(0.5, seen))
    assert sorted(row.state for row in rows) == ["failed", "finished"]
    assert len(seen) == 3 + 1
    assert [row.error for row in ended if row.state == "failed"] == ["no luck"]


class Killed(Here):
    """Workers that die of the job with β = 0.5, after they began it."""

    def completed(self, seconds):
        job = self._jobs[0]
        if job.trials[0].recipe.net.beta != 0.5:
            return super().completed(seconds)
        self._jobs.clear()
        with Store(Path(job.folder) / "study.db") as store:
            store.attempt(job.trials[0].key, "here")
        return [(job, "KilledWorker")]


def test_who_kills_workers_is_recorded_and_others_are_not(make_study, tmp_path):
    study = make_study({"beta": (0.5, 0.75), "lanes": ("8,1", "4,1")}, retries=0)
    with Store(tmp_path / "study.db") as store:
        driver = Driver(study, tmp_path, store, search(study))
        driver.list_all()
        driver.run(Killed(works), lambda row: None)
        rows = store.rows(0)
    # Each killing is blamed on the one that had begun.
    assert [(row.settings["beta"], row.state) for row in rows] == [
        (0.5, "failed"), (0.5, "failed"), (0.75, "finished"), (0.75, "finished")]
    assert rows[0].error == "KilledWorker"


class KilledBefore(Here):
    """Workers that die once before they begin a job."""

    done = False

    def completed(self, seconds):
        if self.done:
            return super().completed(seconds)
        self.done = True
        return [(self._jobs.pop(), "KilledWorker")]


def test_a_job_that_never_began_has_another_chance(make_study, tmp_path):
    study = make_study({"beta": (0.5, 0.75)}, retries=1)
    with Store(tmp_path / "study.db") as store:
        driver = Driver(study, tmp_path, store, search(study))
        driver.list_all()
        driver.run(KilledBefore(works), lambda row: None)
        assert [row.state for row in store.rows(1)] == ["finished", "finished"]


@pytest.mark.parametrize("stop", [1, 5])
def test_optuna_goes_on_after_an_interruption(make_study, tmp_path, stop):
    study = make_study({"beta": {"low": 0.1, "high": 1.0}},
                       search={"kind": "optuna", "trials": 8})
    done = []

    def interrupted(job):
        if len(done) == stop:
            raise KeyboardInterrupt
        done.append(job)
        works(job)

    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path, interrupted)
    _, rows = run(study, tmp_path, works)
    assert [row.state for row in rows] == ["finished"] * 8
