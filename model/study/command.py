"""The command ``study``. Imports nothing heavy before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...gen.console import Json, finish, progress, say, table

if TYPE_CHECKING:
    from .cluster import Workers
    from .driver import Driver
    from .settings import Study
    from .store import Row, Store

#: Rows of the front that the terminal shows.
_SHOWN = 20


def study(
    study: Annotated[str, typer.Argument(metavar="STUDY", show_default=False,
                                         help="A .toml file, or a bundled study.")],
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", show_default=False,
        help="Where results, run folders and the report go. [default: runs/NAME]")] = None,
    resume: Annotated[bool, typer.Option(
        "--resume", help="Go on with what lies there; if all is done, only report.")] = False,
    retry_failed: Annotated[bool, typer.Option(
        "--retry-failed", help="With --resume: try trials that failed once more.")] = False,
    scheduler: Annotated[str | None, typer.Option(
        metavar="tcp://HOST:PORT", show_default=False,
        help="A Dask scheduler whose workers run the trials; they must see the same folders. "
             "[default: a cluster of this machine]")] = None,
    workers: Annotated[int | None, typer.Option(
        min=0, show_default=False, help="Processes on this machine; 0 runs trials in this one. "
                                        "[default: one a core]")] = None,
    gpus: Annotated[int, typer.Option(
        min=0, help="How many of them get a GPU of their own, for trials with training.device "
                    "'cuda'.")] = 0,
    report_only: Annotated[bool, typer.Option(
        "--report", help="Run nothing: report what is there, finished or not.")] = False,
    data_root: Annotated[Path | None, typer.Option(
        "--data-root", show_default=False, help="Where data sets lie. [default: SPIKEWRIGHT_DATA]",
    )] = None,
    as_json: Json = False,
) -> None:
    """Train many nets, measure each on generated hardware, and report what decides.

    Every trial is trained, made integers, and counted by the cycle model; with a board, its
    resources are estimated. Results are kept as they come: whatever is killed, --resume goes on.
    Exit code 1 if a trial failed.

    Example: `spikewright study study-quick -o runs/quick`

    Example: `spikewright study mine.toml --scheduler tcp://10.0.0.5:8786 --resume`

    Example: `spikewright study study-quick -o runs/quick --report`
    """
    from . import report
    from .settings import Study
    from .store import Store, StudyError

    chosen = Study.load(study)
    folder = output or Path("runs") / chosen.name
    if report_only and not (folder / "study.db").exists():
        raise StudyError(f"{folder} holds no study to report; give its -o, or drop --report")
    if (folder / "study.db").exists() and not resume and not report_only:
        raise StudyError(f"{folder} holds a study already; add --resume to go on with it, or give "
                         f"another -o")
    folder.mkdir(parents=True, exist_ok=True)
    with Store(folder / "study.db", shared=scheduler is not None) as store:
        store.begin(chosen.model_dump(mode="json"))
        if retry_failed:
            store.forgive()
        if not report_only:
            _run(chosen, folder, store, scheduler, workers, gpus, data_root)
        rows = store.rows(chosen.retries)
    say("drawing the report")
    page = report.write(chosen, folder, rows)
    result, shown = _results(chosen, folder, rows)
    result["report"] = str(page)
    shown.append(f"report: {page}")
    finish(result, *shown, as_json=as_json)
    if result["failed"]:
        raise typer.Exit(1)


def _run(study: Study, folder: Path, store: Store, scheduler: str | None, workers: int | None,
         gpus: int, data_root: Path | None) -> None:
    from .driver import Driver
    from .search import Listed, search

    say(f"{study.name}: looking at its trials")
    searching = search(study)
    driver = Driver(study, folder, store, searching, data_root=data_root)
    if isinstance(searching, Listed):
        driver.list_all()
    known = driver.known()
    if known:
        say(f"{known} of {searching.total} trials are done already")
    if known >= searching.total:
        return
    if workers == 0 and scheduler is None:
        _one_by_one(driver, known, searching.total)
    else:
        with _workers(study, scheduler, workers, gpus) as pool, progress(
                study.name, searching.total - known) as advance:
            failed = 0

            def ended(row: Row) -> None:
                nonlocal failed
                failed += row.state == "failed"
                advance(1, f"{study.name}: {_latest(row)}"
                           + (f", {failed} failed" if failed else ""))

            driver.run(pool, ended)


def _one_by_one(driver: Driver, known: int, total: int) -> None:
    """In this process, where every training shows its own progress."""
    from functools import partial

    from .cluster import Here
    from .job import work

    done = known

    def ended(row: Row) -> None:
        nonlocal done
        done += 1
        say(f"{done} of {total}: {_latest(row)}")

    with Here(partial(work, quiet=False)) as pool:
        driver.run(pool, ended)


def _workers(study: Study, scheduler: str | None, workers: int | None, gpus: int) -> Workers:
    import os

    from .cluster import Workers
    from .job import work

    say(f"connecting to {scheduler}" if scheduler else "starting workers")
    return Workers(work, scheduler=scheduler, workers=max(workers or os.cpu_count() or 1, gpus),
                   gpus=gpus, retries=study.retries)


def _latest(row: Row) -> str:
    if row.figures is None:
        return f"trial {row.number} failed ({row.error})"
    return (f"trial {row.number} has {row.figures['accuracy']:.1%}, "
            f"{row.figures['cycles']:,.0f} cycles")


def _results(study: Study, folder: Path, rows: list[Row]) -> tuple[dict[str, Any], list[Any]]:
    from .figures import UNITS
    from .findings import findings
    from .statistics import bound, by_task, choices, front, shown, varying

    objectives, found, with_others = study.search.objectives, choices(rows), bound(rows)
    names = [name for name in varying(rows) if name not in with_others]
    best = [each for part in by_task(rows).values() for each in front(choices(part), objectives)]
    verdicts, foretold = findings(rows)
    failed = [row for row in rows if row.state == "failed"]

    def one(choice: Any) -> dict[str, Any]:
        intervals = {name: choice.interval(name) for name in objectives}
        return {"settings": choice.settings, "trials": [row.number for row in choice.rows],
                **{name: None if each is None else {"mean": each.mean, "half": each.half}
                   for name, each in intervals.items()}}

    result = {
        "study": study.name, "folder": str(folder), "trials": len(rows),
        "finished": sum(row.state == "finished" for row in rows), "failed": len(failed),
        "objectives": list(objectives), "front": [one(choice) for choice in best],
        "choices": [one(choice) for choice in found], "verdicts": verdicts, "foretold": foretold,
        "errors": [{"trial": row.number, "settings": row.settings, "error": row.error}
                   for row in failed],
    }
    lines = [(", ".join(f"{name} {shown(choice.settings.get(name))}" for name in names)
              or study.name, len(choice.rows),
              *(_cell(name, choice.interval(name)) for name in objectives))
             for choice in best[:_SHOWN]]
    title = (f"{study.name}: {len(best)} of {len(found)} choices that no other one beats; "
             f"mean ± 95 % interval over seeds")
    headings = ("choice", "seeds", *(UNITS[name][0] for name in objectives))
    said: list[Any] = [table(title, headings, lines)]
    if len(best) > _SHOWN:
        said.append(f"{len(best) - _SHOWN} more are in --json")
    said += [table(title, headings, [tuple(each.values()) for each in part])
             for title, headings, part in (
                 ("what was claimed, and what was measured",
                  ("on", "claim", "verdict", "measured"), verdicts),
                 ("cycles foretold from training, choices held back",
                  ("on", "known", "mean error", "worst", "explained", "runs"), foretold)) if part]
    said += [f"trial {row.number} failed: {row.error} ({row.settings})" for row in failed]
    return result, said


def _cell(name: str, interval: Any) -> str | None:
    if interval is None:
        return None
    from .wording import value

    return value(name, interval)
