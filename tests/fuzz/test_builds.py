"""What builds left behind: nextpnr's reports, and bitstreams that were kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards import build as building
from spikewright.boards.cache import FIGURES, keep
from spikewright.boards.nextpnr_report import read_report
from spikewright.boards.registry import find_board
from spikewright.gen.runfolder import write_json

from .law import Refused, attempt, budget, untouched
from .mutations import accidents, after, json_of, twisted

pytestmark = pytest.mark.usefixtures("little_memory")

BOARD = find_board("icebreaker")
REPORT = {
    "utilization": {"ICESTORM_LC": {"used": 7, "available": 5280},
                    "ICESTORM_RAM": {"used": 2, "available": 30}},
    "fmax": {"some.clk": {"achieved": 30.5, "constraint": 12.0}},
}


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    """A build as it is kept."""
    folder = tmp_path_factory.mktemp("builds") / "entry"
    folder.mkdir()
    (folder / BOARD.family.bitstream).write_bytes(b"bits")
    write_json(folder / building.REPORT, REPORT)
    keep(folder, (BOARD.family.bitstream, building.REPORT), {
        "board": BOARD.name, "device": BOARD.part.device, "network": "0" * 64, "lanes": [4],
        "ways": [1], "slices": [1], "seed": 1, **read_report(folder / building.REPORT, BOARD),
        "seconds": {"synthesis": 1.0}, "tools": {"yosys": "0.70"}, "design": "0" * 64,
    })
    return folder


def changed(data, path):
    """Other content of ``path``."""
    whole = path.read_bytes()
    if path.suffix == ".json" and data.draw(st.booleans()):
        return whole, json_of(data.draw(twisted(json.loads(whole))))
    return whole, after(whole, data.draw(accidents(whole)))


@budget(200)
@given(data=st.data())
def test_a_kept_build(entry, data):
    """It is taken as it was, or made again."""
    path = entry / data.draw(st.sampled_from(
        [FIGURES, building.REPORT, BOARD.family.bitstream]))
    whole, content = changed(data, path)
    kept = building._intact(entry, BOARD)
    assert kept is not None
    path.write_bytes(content)
    try:
        with untouched(entry):
            figures = attempt(building._intact, entry, BOARD)
        assert not isinstance(figures, Refused)
        assert figures in (None, kept)
    finally:
        path.write_bytes(whole)


@budget(200)
@given(data=st.data())
def test_nextpnrs_report(entry, data):
    path = entry / building.REPORT
    whole, content = changed(data, path)
    path.write_bytes(content)
    try:
        got = attempt(read_report, path, BOARD)
    finally:
        path.write_bytes(whole)
    if not isinstance(got, Refused):
        json.dumps(got, allow_nan=False)
        assert all(type(n) is int and n >= 0 for row in got["utilisation"].values()
                   for n in row.values())
