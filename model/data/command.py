"""Command ``data``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ...gen import console


def data(
    data_root: Annotated[Path | None, typer.Option(
        help="Folder of MNIST, Tonic's data sets and event files.", envvar="SPIKEWRIGHT_DATA",
        show_envvar=True)] = None,
    clear_cache: Annotated[bool, typer.Option(
        "--clear-cache", help="Delete the encoded samples that earlier runs kept.")] = False,
    as_json: console.Json = False,
) -> None:
    """List where samples can come from, what is here, and how to get the rest.

    Example: `spikewright data --data-root ~/data`
    """
    from . import cache
    from .catalogue import catalogue

    freed = cache.clear() if clear_cache else 0
    kept = sum(path.stat().st_size for path in cache.entries())
    found = catalogue(data_root)
    result = {
        "data_root": None if data_root is None else str(data_root),
        "sources": [asdict(source) for source in found],
        "cache": {"folder": str(cache.folder()), "bytes": kept, "freed": freed},
    }
    table = console.table("sources of samples", ("--data", "what", "here", "size"), (
        (source.source, source.what, "yes" if source.present else "no",
         _size(source.bytes) if source.bytes else None)
        for source in found
    ))
    missing = [f"{source.source}: {source.get}" for source in found if source.get]
    cached = f"encoded samples kept in {cache.folder()}: {_size(kept)}"
    console.finish(result, table, *missing, cached, as_json=as_json)


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
