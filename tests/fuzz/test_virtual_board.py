"""A virtual board, and a host, on lines on which anything happens; and hosts that hang up."""

import os
import select
import time
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from spikewright.boards import connect
from spikewright.boards.frames import frame
from spikewright.boards.host import FrameCounter, Result, encode_inference
from spikewright.boards.link import Link
from spikewright.boards.link_serial import SerialLink
from spikewright.boards.protocol import Command, LinkError
from spikewright.boards.registry import find_board
from spikewright.boards.virtual import VirtualBoard
from spikewright.gen import Folding, simulate

from ..gen.examples import two_layers


class Damaging(Link):
    """Between ``link`` and a driver: bytes are changed, lost, doubled and made up, each way, with
    a probability of ``rate`` a byte."""

    def __init__(self, link: Link, rng: np.random.Generator, rate: float):
        self._link, self._rng, self.rate = link, rng, rate
        self.damages = 0

    def _damaged(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self._rng.random() >= self.rate:
                out.append(byte)
                continue
            self.damages += 1
            other = int(self._rng.integers(256))
            out += [bytes([other]), b"", bytes([byte, byte]), bytes([byte, other])][
                self._rng.integers(4)]
        return bytes(out)

    def send(self, data):
        self._link.send(self._damaged(data))

    def receive(self, seconds):
        return self._damaged(self._link.receive(seconds))

    def close(self):
        self._link.close()


#: Seconds in which a driver gives up on a damaged line, and in which a sound one is to answer.
SHORT, PATIENCE = 0.3, 20.0

FUZZED = two_layers(inputs=20, hidden=8, classes=4, timesteps=4)
FOLDING = Folding.lanes(4, 4, spec=FUZZED)


def noise(rng: np.random.Generator, samples) -> bytes:
    """What a host gone mad might send: anything, and frames whole, cut, doubled, damaged, of other
    versions and kinds, with pieces of inferences in them, or all of a conversation."""
    frames, out = FrameCounter(), bytearray()
    frames.number = int(rng.integers(256))
    while len(out) < 1200:
        whole = encode_inference(FUZZED, samples[rng.integers(len(samples))])
        batch = bytes([Command.GATHER]) + whole + bytes([Command.RUN, rng.choice([0, 1, 9, 255])])
        body = [rng.bytes(rng.integers(1, 40)), bytes(rng.integers(0, 11, 6).tolist()), whole,
                whole[: rng.integers(1, len(whole))], batch, batch[rng.integers(1, len(batch)) :],
                bytes([Command.IDENTIFY]), bytes([Command.COUNTERS])][rng.integers(8)]
        made = frames.commands(body[:60])
        at = rng.integers(len(made) - 1)
        out += [
            rng.bytes(rng.integers(1, 200)), made[:at], made + made,
            made[:at] + rng.bytes(1) + made[at + 1 :],
            frame(rng.integers(2), int(rng.integers(256)), body[:60], version=rng.integers(16)),
            frames.reset() + frames.commands(bytes([Command.IDENTIFY])) + made, made, made,
        ][rng.integers(8)]
    return bytes(out)


def sent_and_cut(device: str, data: bytes, rng: np.random.Generator) -> int:
    """Sends ``data`` without listening, or reading some of what comes, and hangs up; how many bytes
    were sent."""
    port = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    sent, end = 0, time.monotonic() + PATIENCE
    try:
        while sent < len(data):
            assert time.monotonic() < end, "the board takes no bytes any more"
            _, room, _ = select.select([], [port], [], 0.05)
            if room:
                sent += os.write(port, data[sent : sent + 256])
            if rng.random() < 0.3 and select.select([port], [], [], 0)[0]:
                os.read(port, 64)
    finally:
        os.close(port)
    return sent


@pytest.mark.parametrize(("enough", "connections"), [
    (20_000, 20), pytest.param(1_000_000, 1_000, marks=pytest.mark.slow)])
def test_nothing_on_the_line_leads_to_a_wrong_answer_or_a_standstill(enough, connections, capsys,
                                                                     monkeypatch):
    """A host on a line that damages bytes gets golden results or an error; one that was cut, or
    sent anything, leaves a board that serves the next."""
    if connections < 1_000:
        # Not worth the optimiser's time.
        monkeypatch.setattr("spikewright.boards.virtual.OPTIMISE", 0)
    rng = np.random.default_rng(6)
    samples = rng.random((32, 4, 20)) < 0.3
    golden = simulate(FUZZED, samples, engine="golden")
    expected = [Result(tuple(scores), winner) for scores, winner
                in zip(golden.scores.tolist(), golden.prediction.tolist(), strict=True)]
    fuzzed = cut = damages = right = refused = sound = wrong = hangs = 0
    longest = 0.0
    with VirtualBoard(FUZZED, replace(find_board("icebreaker"), window=64, buffer=32), FOLDING,
                      divisor=4) as board:
        for turn in count():
            if fuzzed >= enough and cut >= connections:
                break
            data = noise(rng, samples)
            # One in eight ends by itself; the others are cut where they may be.
            end = len(data) if turn % 8 == 0 else int(rng.integers(1, len(data) + 1))
            fuzzed += sent_and_cut(board.device, data[:end], rng)
            cut += end < len(data)

            which = int(rng.integers(len(samples)))
            if turn % 2 == 0:
                line = Damaging(SerialLink(board.device, 1_000_000), rng, 0)
                try:
                    with connect(line, timeout=PATIENCE) as host:
                        line.rate, host.timeout = 0.002, SHORT
                        for result in host.infer(FUZZED, [samples[which]] * 4):
                            right += result == expected[which]
                            wrong += result != expected[which]
                except LinkError:
                    refused += 1
                damages += line.damages
            begun = time.monotonic()
            try:
                with connect(board.device, timeout=PATIENCE) as host:
                    result = next(host.infer(FUZZED, [samples[which]]))
                    sound += result == expected[which]
                    wrong += result != expected[which]
            except LinkError:
                hangs += 1
            longest = max(longest, time.monotonic() - begun)
        served = board.close()
    with capsys.disabled():
        print(f"\nvirtual board: {fuzzed:,} fuzzed bytes, {cut:,} cut connections, {damages:,} "
              f"bytes damaged under a driver ({right} results, {refused} named errors), "
              f"{sound:,} sound hosts served, the slowest in {longest:.2f} s; {hangs} hangs, "
              f"{wrong} wrong answers; {served.cycles:,} cycles")
    assert (hangs, wrong) == (0, 0)
    assert sound == turn
    # On damaged lines, both happened.
    assert min(right, refused, damages) > connections // 50
