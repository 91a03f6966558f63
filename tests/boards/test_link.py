"""The driver, and boards that answer, answer wrongly, or not at all."""

import os
import threading
import tty
from collections import deque

import numpy as np
import pytest

from spikewright.boards import connect
from spikewright.boards.frames import frame, unframe
from spikewright.boards.link import Connection, Link
from spikewright.boards.link_serial import SerialLink
from spikewright.boards.link_simulated import SimulatedLink
from spikewright.boards.protocol import (
    VERSION,
    BoardFaultError,
    Command,
    DamagedFrameError,
    Fault,
    Identity,
    Kind,
    LinkError,
    LinkTimeoutError,
    LostReplyError,
    Tag,
    UnexpectedReplyError,
    WrongBitstreamError,
)
from spikewright.gen import Folding, simulate

from ..gen.examples import two_layers
from .identities import identity

SPEC = two_layers(inputs=12, hidden=6, classes=3, timesteps=4)
FOLDING = Folding.lanes(4, 3, spec=SPEC)
SPIKES = np.random.default_rng(3).random((2, 4, 12)) < 0.4


class Echo(Link):
    """A board by the protocol, without a network: it answers what it is asked, in time that stands
    still. ``spoil`` changes its bytes on their way."""

    def __init__(self, known: Identity, spoil=lambda wire: wire):
        self.known, self.spoil = known, spoil
        self.number = self.expected = self.held = self.most = self.taken = 0
        self.heard, self.closed, self.seconds = deque[bytes](), False, 0.0
        self.commands = bytearray()

    def send(self, data):
        for stuffed in data.split(b"\0"):
            if not stuffed:
                continue
            _, kind, number, body = unframe(stuffed)
            if kind == Kind.RESET:
                self.expected, self.taken = number, 0
                self.answer(Tag.READY, bytes([number]))
            else:
                assert number == self.expected
                self.held += len(body)
                self.most = max(self.most, self.held)
                assert self.held <= self.known.window
                self.commands += body
                if body[-1] == Command.IDENTIFY:
                    self.take(Tag.IDENTITY, self.known.pack())
                elif body[-1] == Command.PING and len(self.heard) < 2:
                    self.take(Tag.PONG)
                elif body[-1] == Command.COUNTERS:
                    self.take(Tag.COUNTERS, bytes(4 * self.known.counter_words + 1))
            self.expected = (self.expected + 1) % 256

    def take(self, tag, body=b""):
        self.taken += self.held
        self.held = 0
        self.answer(tag, body)

    def answer(self, tag, body):
        content = (self.taken & 0xFFFF).to_bytes(2, "little") + body
        if wire := self.spoil(frame(tag, self.number, content)):
            self.heard.append(wire)
        self.number = (self.number + 1) % 256

    def receive(self, seconds):
        if self.heard:
            return self.heard.popleft()
        self.seconds += seconds
        return b""

    def now(self):
        return self.seconds

    def close(self):
        self.closed = True


def test_a_simulated_board_answers_like_the_golden_model():
    golden = simulate(SPEC, SPIKES, engine="golden")
    trace = simulate(SPEC, SPIKES, folding=FOLDING)
    with connect(SimulatedLink(SPEC, FOLDING, window=32, buffer=64)) as board:
        results = list(board.infer(SPEC, SPIKES))
        assert [result.scores for result in results] == [tuple(c) for c in golden.scores.tolist()]
        assert [result.winner for result in results] == golden.prediction.tolist()
        assert board.counters().cycles == trace.cycles.sum()
        with pytest.raises(WrongBitstreamError, match="program the bitstream of this run"):
            list(board.infer(two_layers(seed=9), SPIKES))
        # Whatever else is on the line, a reset helps.
        board.link.send(b"\x41\xff\x00\x02")
        board.reset()
        assert next(board.infer(SPEC, SPIKES[1:])) == results[1]


def test_a_board_is_never_sent_more_than_its_window():
    link = Echo(identity(counter_words=1))
    with connect(link) as board:
        assert board.identity == link.known
        for _ in range(300):
            board.clear()
        board._ask(bytes([Command.CLEAR] * 300) + bytes([Command.PING]), object)
    assert link.closed
    assert link.known.window // 2 <= link.most <= link.known.window
    assert link.commands.count(Command.CLEAR) == 600


def test_what_a_host_before_left_on_the_line_is_not_taken_for_an_answer(monkeypatch):
    """Who the board is, and counters, behind READYs of which two have our numbers by chance."""
    numbers = iter([5, 6, 200])
    monkeypatch.setattr("secrets.randbelow", lambda below: next(numbers))
    link = Echo(identity(counter_words=1))
    for tag, body in ((Tag.READY, b"\5"), (Tag.READY, b"\6"), (Tag.IDENTITY, link.known.pack()),
                      (Tag.COUNTERS, b"\0\0\0\0\1")):
        link.answer(tag, body)
    with connect(link) as board:
        assert not board.counters().spilled


def test_what_cannot_be_loaded_is_refused_before_it_is_sent():
    link = Echo(identity(counter_words=1))
    with connect(link) as board, pytest.raises(LinkError, match=r"3 bytes for .* take 0"):
        board.load(b"abc")


def test_a_silent_board_is_an_error_in_time_and_the_port_is_given_back():
    link = Echo(identity(), spoil=lambda wire: b"")
    with pytest.raises(LinkTimeoutError, match="did not answer in 2 s"):
        connect(link, timeout=2)
    assert link.closed
    assert link.seconds >= 2


@pytest.mark.parametrize(("wire", "error"), [
    (b"", LinkTimeoutError),
    (b"\5\1\1\0", DamagedFrameError),
    (frame(Tag.PONG, 4, b"\0\0")[:-3] + b"\0", DamagedFrameError),
    (frame(Tag.PONG, 5, b"\0\0"), LostReplyError),
    (frame(Tag.PONG, 4, b"\0\0"), UnexpectedReplyError),
    (frame(Tag.ERROR, 4, b"\0\0" + Fault.DAMAGED.to_bytes(2, "little")), BoardFaultError),
    (frame(Tag.COUNTERS, 4, b"\0\0", version=VERSION + 1), WrongBitstreamError),
])
def test_wrong_answers_have_names_and_a_reset_helps(wire, error):
    link = Echo(identity(counter_words=1))
    board = Connection(link)
    link.spoil = lambda whole: wire
    with pytest.raises(error):
        board.counters()
    with pytest.raises(LinkError, match=r"call reset\(\) before the next"):
        board.counters()
    # What is left of the answer comes late.
    link.heard.append(b"\x07\x07\0\x03")
    link.spoil = lambda whole: b"\0" + whole
    board.reset()

    assert board.counters().layers.size == 0


def test_a_serial_port_carries_bytes_and_its_loss_has_a_name():
    ours, theirs = os.openpty()
    tty.setraw(ours)
    name = os.ttyname(theirs)
    link = SerialLink(name, 1_000_000)
    os.write(ours, bytes(range(256)))
    got = b""
    while len(got) < 256:
        piece = link.receive(5)
        assert piece
        got += piece
    assert got == bytes(range(256))
    link.send(b"\0abc")
    assert os.read(ours, 10) == b"\0abc"
    assert link.receive(0.01) == b""
    closing = threading.Timer(0.05, os.close, (ours,))
    closing.start()
    os.close(theirs)

    def talk():
        while True:
            link.receive(5)
            link.send(b"a")

    with pytest.raises(LinkError, match="check that the board is plugged in"):
        talk()
    link.close()
    link.close()


def test_a_port_that_is_not_there():
    with pytest.raises(LinkError, match="/dev/nothing cannot be opened"):
        connect("/dev/nothing")
