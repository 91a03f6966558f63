import multiprocessing
import sqlite3

import pytest

from spikewright.model.study.store import DIED, REFUSED, VERSION, Store, StudyError
from spikewright.model.study.trial import resolve


def trial(beta=0.5):
    return resolve("digits", {"beta": beta})


def test_results_are_written_once(tmp_path):
    with Store(tmp_path / "s.db") as store:
        store.add(trial(), trial(0.75))
        store.add(trial())
        assert [row.number for row in store.rows(0)] == [0, 1]
        key = trial().key
        for value in (1, 2):
            store.finish(key, store.attempt(key, "here"), {"accuracy": value})
        row = store.row(key, 0)
    assert (row.state, row.figures, row.settings) == ("finished", {"accuracy": 1}, {"beta": 0.5})


def test_a_trial_fails_after_its_retries_or_at_once_if_refused(tmp_path):
    with Store(tmp_path / "s.db") as store:
        first, second = trial(0.5), trial(0.75)
        store.add(first)
        store.add(second)
        states = []
        for number in range(3):
            store.fail(store.attempt(first.key, "here"), DIED, f"death {number}")
            states.append(store.row(first.key, 2).state)
        assert states == ["waiting", "waiting", "failed"]
        assert store.row(first.key, 2).error == "death 2"
        store.fail(store.attempt(second.key, "here"), REFUSED, "never")
        assert store.row(second.key, 2).state == "failed"
        store.forgive()
        assert {row.state for row in store.rows(2)} == {"waiting"}


def test_an_interruption_counts_for_nothing(tmp_path):
    with Store(tmp_path / "s.db") as store:
        store.add(trial())
        for _ in range(5):
            store.attempt(trial().key, "here")
        assert store.begun(trial().key)
        assert store.row(trial().key, 0).state == "waiting"


def test_a_store_keeps_to_its_study_and_version(tmp_path):
    path = tmp_path / "s.db"
    with Store(path) as store:
        store.begin({"name": "a", "set": {}})
        store.begin({"name": "a", "set": {}})
        with pytest.raises(StudyError, match=r"other settings \(set\)"):
            store.begin({"name": "a", "set": {"beta": 1}})
        assert store.settings() == {"name": "a", "set": {}}
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(StudyError, match=f"has store version {VERSION + 1}"):
        Store(path)


def test_what_is_no_store_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "s.db"
    path.write_text("a letter, and a long one at that, to someone who reads letters\n" * 20)
    before = path.read_bytes()
    with pytest.raises(StudyError, match="cannot be used as a store"):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("shared", [False, True])
def test_the_journal_suits_who_shares_it(tmp_path, shared):
    with Store(tmp_path / "s.db", shared=shared):
        pass
    db = sqlite3.connect(tmp_path / "s.db")
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == ("delete" if shared else "wal")
    db.close()


def _write(path, process, rounds):
    with Store(path) as store:
        for number in range(rounds):
            each = trial((process * rounds + number + 1) / 1000)
            store.add(each)
            store.finish(each.key, store.attempt(each.key, str(process)), {"cycles": number})


def test_processes_write_at_once(tmp_path):
    path, rounds, context = tmp_path / "s.db", 20, multiprocessing.get_context("fork")
    # All of them make the store, and only one can.
    processes = [context.Process(target=_write, args=(path, n, rounds)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    with Store(path) as store:
        rows = store.rows(0)
    assert [row.number for row in rows] == list(range(4 * rounds))
    assert sum(row.figures["cycles"] for row in rows) == 4 * sum(range(rounds))
