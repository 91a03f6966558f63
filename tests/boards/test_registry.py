import pytest
from amaranth.build import Platform

from spikewright.boards.registry import BOARDS, UnknownBoardError, find_board


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_boards_are_what_their_platforms_say(board):
    platform = board.make_platform()
    assert isinstance(platform, Platform)
    assert platform.device == board.part.device
    assert platform.default_clk_frequency == board.clock_hz
    assert platform.required_tools[:3] == list(board.family.tools)
    assert platform.lookup("uart", 0)
    assert platform.lookup("led", 1)
    assert board.divisor * board.baud == board.clock_hz
    assert find_board(board.name) is board


def test_boards_come_smallest_part_first():
    sizes = [board.part.logic for board in BOARDS]
    assert sizes == sorted(sizes)


def test_an_unknown_board_lists_all():
    with pytest.raises(UnknownBoardError, match="'arty' is unknown; available are icebreaker, ulx"):
        find_board("arty")
