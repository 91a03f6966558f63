"""The registry: boards as their platforms say they are, and the page about them."""

import json
import re

import pytest
from amaranth.build import Platform

from spikewright.boards.build import STAGES, _commands
from spikewright.boards.fit import smallest_folding
from spikewright.boards.registry import BOARDS, UnknownBoardError, find_board
from spikewright.boards.top import BoardTop

from ..bench import boards
from ..gen.examples import one_layer

LOOP = r"^  cell \\(SB_PLL40_\w+|EHXPLLL) "


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_boards_are_what_their_platforms_say(board):
    platform = board.make_platform()
    assert isinstance(platform, Platform)
    assert platform.device == board.part.device
    clock = platform.lookup(board.oscillator or platform.default_clk).clock
    assert clock.frequency == board.oscillator_hz
    assert platform.required_tools[:3] == list(board.family.tools)
    assert platform.lookup("uart", 0)
    for light in board.lights:
        resource, number, *part = light.split(":")
        found = platform.lookup(resource, int(number))
        assert not part or part[0] in [io.name for io in found.ios]
    assert find_board(board.name) is board


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_clocks_of_a_board_have_their_baud_rate(board):
    clocks = []
    for most in (17e6, 23.4e6, 50e6, 99.9e6, board.clock_hz):
        clocked = board.fastest(max(most, board.oscillator_hz))
        assert clocked.clock_hz <= max(most, board.oscillator_hz)
        assert abs(clocked.clock_hz / clocked.divisor / board.baud - 1) <= 0.02
        clocks.append(clocked.clock_hz)
    assert board.at_oscillator().setting is None


@pytest.mark.parametrize("name", ["icebreaker", "hx8k-b-evn", "ulx3s-12f", "orangecrab-25f",
                                  "versa-ecp5"])
def test_the_loop_is_part_of_the_design(name):
    """As far as the text for the tools; that nextpnr takes it, `make bench PARTS=boards` shows."""
    board, spec = find_board(name), one_layer(4, 2)
    for clocked, loops in ((board.fastest(31e6), 1), (board.at_oscillator(), 0)):
        top = BoardTop(clocked, spec, smallest_folding(spec, clocked))
        plan = clocked.make_platform().prepare(top, emit_src=False)
        # Some platforms have commands behind these.
        assert len(_commands(plan)) == len(STAGES)
        text = plan.files["top.il"]
        text = text if isinstance(text, str) else text.decode()
        assert len(re.findall(LOOP, text, re.M)) == loops


def test_boards_come_smallest_part_first():
    sizes = [board.part.logic for board in BOARDS]
    assert sizes == sorted(sizes)


def test_an_unknown_board_lists_all():
    with pytest.raises(UnknownBoardError, match="'arty' is unknown; available are icestick, ic"):
        find_board("arty")


def test_the_page_of_boards_shows_what_was_measured():
    rows = json.loads(boards.RESULTS.read_text(encoding="utf-8"))["boards"]
    assert len(rows) == len(BOARDS)
    assert f"{boards.BEGIN}{boards.table(rows)}{boards.END}" in boards.PAGE.read_text("utf-8")
