"""The command ``play``. Nothing heavy is imported before it runs."""

from __future__ import annotations

import math
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..gen.commands import Run
from ..gen.console import Json, finish, say, table
from ..gen.errors import DataError, SpikewrightError
from ..gen.folding_options import Lanes, Ways, folding_of
from ..gen.runfolder import RunFolder

if TYPE_CHECKING:
    from .playback import Accelerator, Played, Player

#: Entry points that make an :class:`~.playback.Accelerator` of what stands behind their name, and
#: of a run folder.
LINKS = "spikewright.links"

#: Windows that the live view shows.
_SHOWN = 12


def play(
    file: Annotated[Path, typer.Argument(
        metavar="FILE", show_default=False,
        help="Recording: .aedat4, .raw (EVT 2 or 3), .dat, .bin (N-MNIST) or .npz.")],
    run: Run,
    speed: Annotated[str, typer.Option(
        metavar="FACTOR|max", help="Of the recording's time: 1 as the camera saw it, or max.")
    ] = "1",
    window: Annotated[float | None, typer.Option(
        help="Length of a window in µs. [default: what the recipe's timesteps last]",
        show_default=False)] = None,
    sensor: Annotated[str | None, typer.Option(
        metavar="X,Y", help="Pixels of the camera. [default: as the file says, or the network's "
                            "input]", show_default=False)] = None,
    engine: Annotated[str, typer.Option(
        help="What computes: golden, cycles, verilator, …")] = "golden",
    link: Annotated[str | None, typer.Option(
        metavar="NAME:WHERE", help="A board instead of an engine.", show_default=False)] = None,
    windows: Annotated[int | None, typer.Option(
        min=1, help="How many windows, from the first. [default: all]", show_default=False)] = None,
    lanes: Lanes = None,
    ways: Ways = None,
    json: Json = False,
) -> None:
    """Play a camera's recording into the network, window after window, live.

    A window is encoded as the run's recipe encodes its samples. In real time, windows that come
    while the network is more than one window behind are dropped and counted.

    Example: `spikewright play hand.raw runs/demo --window 300000 --speed max`
    """
    from .data.recordings import packets
    from .data.recordings import sensor as sensor_of
    from .data.stimuli import read_recipe
    from .playback import Engine, Player, window_length

    folder = RunFolder.open(run)
    spec, encoding = folder.spec(), read_recipe(folder).encoding
    accelerator = (Engine(spec, engine, folding_of(lanes, spec, ways)) if link is None
                   else _linked(link, folder))
    small = spec.input_shape
    size = _pixels(sensor) or sensor_of(file)
    if size is None:
        if encoding.downsample is not None:
            raise DataError(f"{file} does not say how large its camera is, and the run's recipe "
                            f"makes it smaller; give --sensor X,Y")
        size = (small[2], small[1])
    camera = (*size, small[0])
    if encoding.shape(camera) != small:
        raise DataError(f"a camera of {size[0]}×{size[1]} pixels becomes inputs "
                        f"{encoding.shape(camera)}; the network takes {small}; play a recording of "
                        f"the camera it was trained on, or give its --sensor")
    player = Player(accelerator, encoding, camera, window_length(encoding, window),
                    speed=_factor(speed))
    played = _watch(player, packets(file), windows)
    if not played:
        raise DataError(f"{file} holds no events; give a recording with some")
    figures = _figures(played, player)
    result = {"run": str(run), "file": str(file), "engine": engine if link is None else link,
              "speed": player.speed, "window_us": player.length, **figures,
              "windows": [vars(each) for each in played]}
    finish(result, table(f"{file.name} played into {spec.name}", ("figure", "value"),
                         [(name.replace("_", " "), value) for name, value in figures.items()]),
           as_json=json)
    if player.dropped:
        say(f"{player.dropped} windows were dropped, because the network was behind; play slower, "
            f"or with a faster --engine or more --lanes")


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise DataError(f"--speed is {speed!r}; give a number above 0, or max")
    return factor


def _pixels(sensor: str | None) -> tuple[int, int] | None:
    if sensor is None:
        return None
    sides = sensor.split(",")
    if len(sides) != 2 or not all(side.strip().isdecimal() and int(side) for side in sides):
        raise DataError(f"--sensor is {sensor!r}; give X,Y, like 346,260")
    return int(sides[0]), int(sides[1])


def _linked(link: str, run: RunFolder) -> Accelerator:
    name, _, where = link.partition(":")
    points = {point.name: point for point in metadata.entry_points(group=LINKS)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none is installed"
        raise SpikewrightError(f"link {name!r} is unknown; available are: {known}; or leave out "
                               f"--link and choose an --engine")
    return points[name].load()(where, run)


def _watch(player: Player, packets: Any, most: int | None) -> list[Played]:
    """Plays, with a live view on stderr."""
    from rich.console import Console
    from rich.live import Live

    played: list[Played] = []
    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
        for each in player.play(packets):
            played.append(each)
            live.update(_view(played, player))
            if len(played) == most:
                break
    return played


def _view(played: list[Played], player: Player) -> Any:
    rows = [(f"{each.begin / 1e6:.3f} s", each.events,
             f"{each.events / player.length * 1e6:,.0f}", each.winner,
             f"{each.latency * 1e3:.1f} ms", each.dropped) for each in played[-_SHOWN:]]
    return table(f"{len(played)} windows, {player.dropped} dropped",
                 ("from", "events", "events/s", "prediction", "latency", "dropped"), rows)


def _figures(played: list[Played], player: Player) -> dict[str, Any]:
    import numpy as np

    latencies = np.array([each.latency for each in played]) * 1e3
    events = sum(each.events for each in played)
    cycles = [each.cycles for each in played if each.cycles is not None]
    winners = np.bincount([each.winner for each in played])
    return {
        "windows_answered": len(played), "windows_dropped": player.dropped, "events": events,
        "events_per_second": round(events / (len(played) * player.length) * 1e6),
        "latency_ms_median": round(float(np.median(latencies)), 3),
        "latency_ms_most": round(float(latencies.max()), 3),
        "cycles_mean": round(float(np.mean(cycles)), 1) if cycles else None,
        "most_predicted": int(winners.argmax()),
    }
