"""Where a study's results are kept: one SQLite file that several processes write at once.

================  ================================================================================
table ``study``   one row: the study's settings, as it began
table ``trials``  ``key`` (digest of the settings), ``number`` in order of birth, ``settings`` in
                  the study's names, ``run``: the folder of its net
table             one row each time a trial began: ``worker``, ``begun``, ``ended`` (seconds since
``attempts``      1970), ``outcome`` (none while it runs) and ``error``
table             ``key``, ``figures``, ``ended``: written once, never changed, never deleted
``results``
================  ================================================================================

What was committed survives the end of any process at any moment. Write-ahead logging lets readers
go on while one process writes, but only among processes of one machine; a store that is made
``shared`` uses a rollback journal, which a network file system that locks files can hold.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ...gen.errors import SpikewrightError
from .trial import Trial

#: Of the tables; another one is refused.
VERSION = 1

#: Seconds that a process waits for another one to finish writing.
PATIENCE = 60.0

_TABLES = """
CREATE TABLE study (settings TEXT NOT NULL);
CREATE TABLE trials (key TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, settings TEXT NOT NULL,
                     run TEXT NOT NULL);
CREATE TABLE attempts (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES trials(key),
                       worker TEXT NOT NULL, begun REAL NOT NULL, ended REAL, outcome TEXT,
                       error TEXT);
CREATE INDEX attempts_of ON attempts(key);
CREATE TABLE results (key TEXT PRIMARY KEY REFERENCES trials(key), figures TEXT NOT NULL,
                      ended REAL NOT NULL);
"""

#: Outcomes that count against a trial; ``interrupted`` and ``forgiven`` do not.
DIED, REFUSED = "died", "refused"


class StudyError(SpikewrightError):
    """A study that cannot go on: another store, no workers, or a scheduler that has gone."""


@dataclass(frozen=True)
class Row:
    """A trial as the store knows it. ``state`` is finished, failed or waiting; ``figures`` of one
    that finished, ``error`` of one that failed."""

    key: str
    number: int
    settings: dict[str, Any]
    run: str
    state: str
    figures: dict[str, Any] | None
    error: str | None


class Store:
    """Opens the store at ``path``, made with ``shared`` if there is none; a context manager."""

    def __init__(self, path: Path, *, shared: bool = False):
        self.path = path
        try:
            # Every statement is its own transaction, unless writing() opens one.
            self._db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            self._prepare(shared)
        except sqlite3.Error as error:
            raise StudyError(f"{path} cannot be used as a store ({error}); give another -o, or "
                             f"move the file away") from error

    def _prepare(self, shared: bool) -> None:
        self._db.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
        self._db.execute("PRAGMA synchronous = FULL")
        if not self._version():
            if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                self._db.execute(f"PRAGMA journal_mode = {'DELETE' if shared else 'WAL'}")
            with self.writing():
                if not self._version():  # another process may have been faster
                    for statement in _TABLES.strip().split(";\n"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {VERSION}")
        if (found := self._version()) != VERSION:
            raise StudyError(f"{self.path} has store version {found}; this spikewright reads "
                             f"{VERSION}; install the spikewright that wrote it, or give another "
                             f"-o")

    def _version(self) -> int:
        return self._db.execute("PRAGMA user_version").fetchone()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, which no other process writes beside; undone by an exception."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Says what study this is.

        Raises
        ------
        StudyError
            If it is another one already.
        """
        text = json.dumps(settings, sort_keys=True, allow_nan=False)
        with self.writing():
            found = self._db.execute("SELECT settings FROM study").fetchone()
            if found is None:
                self._db.execute("INSERT INTO study VALUES (?)", (text,))
            elif found[0] != text:
                differ = [name for name, value in json.loads(found[0]).items()
                          if json.loads(text).get(name) != value] or ["fields"]
                raise StudyError(f"{self.path} holds a study with other settings "
                                 f"({', '.join(differ)}); give another -o")

    def settings(self) -> dict[str, Any]:
        """What :meth:`begin` was told."""
        found = self._db.execute("SELECT settings FROM study").fetchone()
        if found is None:
            raise StudyError(f"{self.path} holds no study; run: spikewright study STUDY.toml")
        return json.loads(found[0])

    def add(self, *trials: Trial) -> None:
        """Makes ``trials`` known, in order; those that are known stay as they are."""
        with self.writing():
            self._db.executemany(
                "INSERT OR IGNORE INTO trials SELECT ?, count(*), ?, ? FROM trials",
                [(trial.key, json.dumps(trial.settings, sort_keys=True),
                  f"runs/{trial.model[:16]}") for trial in trials])

    def attempt(self, key: str, worker: str) -> int:
        """Begins trial ``key``; number of the attempt. Whoever calls holds the lock of its net, so
        an earlier attempt without an outcome was interrupted."""
        with self.writing():
            self._db.execute("UPDATE attempts SET outcome = 'interrupted' "
                             "WHERE key = ? AND outcome IS NULL", (key,))
            made = self._db.execute(
                "INSERT INTO attempts (key, worker, begun) VALUES (?, ?, ?)",
                (key, worker, time.time()))
            assert made.lastrowid is not None
            return made.lastrowid

    def begun(self, key: str) -> bool:
        """Whether an attempt at trial ``key`` has begun and not ended."""
        return self._db.execute("SELECT 1 FROM attempts WHERE key = ? AND outcome IS NULL",
                                (key,)).fetchone() is not None

    def finish(self, key: str, attempt: int, figures: Mapping[str, Any]) -> None:
        """Keeps what ``attempt`` found; the first result of a trial stays."""
        text, now = json.dumps(figures, allow_nan=False), time.time()
        with self.writing():
            self._db.execute("INSERT OR IGNORE INTO results VALUES (?, ?, ?)", (key, text, now))
            self._end(attempt, "finished", None, now)

    def fail(self, attempt: int, outcome: str, error: str) -> None:
        """``attempt`` ended without a result: it :data:`DIED`, or was :data:`REFUSED` for good."""
        with self.writing():
            self._end(attempt, outcome, error, time.time())

    def _end(self, attempt: int, outcome: str, error: str | None, now: float) -> None:
        self._db.execute("UPDATE attempts SET outcome = ?, error = ?, ended = ? WHERE id = ?",
                         (outcome, error, now, attempt))

    def forgive(self) -> None:
        """Lets trials that failed be tried again."""
        with self.writing():
            self._db.execute("UPDATE attempts SET outcome = 'forgiven' WHERE outcome IN (?, ?)",
                             (DIED, REFUSED))

    def finished(self, key: str) -> bool:
        """Whether trial ``key`` has a result."""
        found = self._db.execute("SELECT 1 FROM results WHERE key = ?", (key,))
        return found.fetchone() is not None

    def row(self, key: str, retries: int) -> Row:
        """Trial ``key``, which has failed if it was refused or died more than ``retries`` times."""
        return next(self._rows(retries, "WHERE trials.key = ?", (key,)))

    def rows(self, retries: int) -> list[Row]:
        """All trials, in order."""
        return list(self._rows(retries, "", ()))

    def _rows(self, retries: int, where: str, values: tuple[Any, ...]) -> Iterator[Row]:
        for key, number, settings, run, figures, died, refused, error in self._db.execute(
            f"""SELECT trials.key, number, settings, run, figures,
                       (SELECT count(*) FROM attempts a
                        WHERE a.key = trials.key AND outcome = '{DIED}'),
                       (SELECT count(*) FROM attempts a
                        WHERE a.key = trials.key AND outcome = '{REFUSED}'),
                       (SELECT error FROM attempts a
                        WHERE a.key = trials.key AND error IS NOT NULL ORDER BY id DESC LIMIT 1)
                FROM trials LEFT JOIN results ON results.key = trials.key {where}
                ORDER BY number""", values):
            failed = figures is None and (refused or died > retries)
            yield Row(
                key, number, json.loads(settings), run,
                "finished" if figures is not None else "failed" if failed else "waiting",
                None if figures is None else json.loads(figures), error if failed else None)
