"""The serial line of compiled designs."""

import pytest

from spikewright.boards.netlists.serial import Hardware, SilentBoardError, Turn, converse, program

ECHO = "module echo(input clk, input rx, output tx); reg q = 1; assign tx = q & mem[3]; " \
       "reg mem [0:3]; always @(posedge clk) q <= rx; endmodule"
SETTINGS = {"divisor": 5, "settle": 20, "limit": 1000}


@pytest.fixture(scope="module")
def echo():
    """What is sent comes back, if word 3 of ``mem`` is 1."""
    return program(Hardware(ECHO, "echo", {"mem": [0, 0, 0, 1]}))


def test_bytes_come_back(echo):
    answers = []
    cycles = converse(
        echo, {"mem": [0, 0, 0, 1]},
        [Turn(bytes(range(256)) + b"\0", 2), Turn(b"", 0), Turn(b"\x55\0", 1)],
        **SETTINGS, answered=lambda number, answer: answers.append((number, answer)))
    assert answers == [(0, bytes(range(256)) + b"\0"), (1, b""), (2, b"\x55\0")]
    # A bit is as long as it should be.
    assert cycles >= 20 + 259 * 10 * 5
    assert cycles < 20 + 259 * 10 * 5 + 100


def test_a_missing_answer_is_an_error(echo):
    with pytest.raises(SilentBoardError, match=r"sent 3 bytes \(turn 0\) and answered 1 of 2 fr"):
        converse(echo, {"mem": [0, 0, 0, 1]}, [Turn(b"ab\0", 2)], **SETTINGS,
                 answered=lambda number, answer: None)


def test_bytes_without_a_stop_bit_are_an_error(echo):
    with pytest.raises(SilentBoardError, match="no stop bit"):
        converse(echo, {"mem": [0, 0, 0, 0]}, [Turn(b"ab\0", 1)], **SETTINGS,
                 answered=lambda number, answer: None)
