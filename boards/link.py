"""The host's end of the wire: one conversation, whatever the bytes go through."""

import secrets
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..gen.spec import NetworkSpec
from .host import (
    CounterWords,
    FrameCounter,
    Observed,
    Pong,
    Ready,
    Reply,
    ReplyParser,
    Result,
    beat_count,
    encode_inference,
    encode_load,
    split,
)
from .protocol import (
    DIGEST_BYTES,
    MAX_PASSES,
    Command,
    Identity,
    LinkError,
    LinkTimeoutError,
    UnexpectedReplyError,
    WrongBitstreamError,
)

#: Seconds that a board may take for an answer.
TIMEOUT = 5.0

#: RESETs of a connection that begins.
_GREETINGS = 3

#: Bytes of commands that any board holds, before it said how many.
FIRST_WINDOW = 4


class Link(ABC):
    """Bytes to a board and back. A serial port is one, and so is a simulation."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Sends all of ``data``; LinkError if it cannot be sent."""

    @abstractmethod
    def receive(self, seconds: float) -> bytes:
        """What has come, at least one byte; nothing if none came in ``seconds``.

        Raises
        ------
        LinkError
            If the other side is gone.
        """

    def now(self) -> float:
        """Seconds, as they pass for the other side."""
        return time.monotonic()

    @abstractmethod
    def close(self) -> None:
        """Gives the line back. Closing twice is allowed."""


class Connection:
    """A conversation with a board, whose network and shape it knows.

    Each call raises a subclass of :class:`~.protocol.LinkError` within ``timeout`` if it cannot be
    done; then, and only then, :meth:`reset` is due before the next, which is refused without it.
    Never more bytes are under way than the board can hold.

    Attributes
    ----------
    identity : Identity
    link : Link
    timeout : float
        Seconds that the board may be silent while an answer is due.

    Raises
    ------
    LinkError
        If nobody answers, or not in this protocol.
    """

    def __init__(self, link: Link, *, timeout: float = TIMEOUT):
        self.link = link
        self.timeout = timeout
        self._frames, self._parser = FrameCounter(), ReplyParser()
        self._replies: deque[Reply] = deque()
        self._sent, self._window = 0, FIRST_WINDOW
        self._lost = self._valued = False
        try:
            for _ in range(_GREETINGS):
                # Whoever spoke before may have left READYs and results on their way, which look
                # like ours: several numbers in a row that nobody knew do not.
                self._frames.number = secrets.randbelow(256)
                self.reset()
            self.identity: Identity = self._ask(bytes([Command.IDENTIFY]), Identity)
        except BaseException:
            link.close()
            raise
        self._window = self.identity.window
        self._valued = self.identity.value_bits > 0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the line back."""
        self.link.close()

    def reset(self) -> None:
        """Abandons whatever is under way, whatever went wrong before, and zeroes the counters."""
        number, self._sent = self._frames.number, 0
        self._parser.forget()
        self._replies.clear()
        self.link.send(self._frames.reset())
        end = self.link.now() + self.timeout
        while not self._is_ready(number, self._received(end)):
            pass
        self._lost = False

    def _is_ready(self, number: int, received: bytes) -> bool:
        """``received`` holds the answer to RESET ``number``. What was under way before, whole or
        not, means nothing any more."""
        while True:
            try:
                return any(reply == Ready(number) for reply in self._parser.feed(received))
            except LinkError:
                received = b""

    def infer(
        self, spec: NetworkSpec, samples: Iterable[npt.NDArray[Any]]
    ) -> Iterator[Result]:
        """The result of each of ``samples``, (timesteps, inputs), of the network ``spec``.

        Raises
        ------
        WrongBitstreamError
            If the board carries another network.
        """
        self.identity.expect(spec)
        for sample in samples:
            yield self._ask(encode_inference(spec, sample, self.identity.ways), Result)

    def observe(
        self, spec: NetworkSpec, samples: Iterable[npt.NDArray[Any]]
    ) -> Iterator[tuple[Result, CounterWords]]:
        """Like :meth:`infer`, with what was counted in each of ``samples`` alone."""
        self.identity.expect(spec)
        for sample in samples:
            commands = encode_inference(spec, sample, self.identity.ways)
            yield self._ask(bytes([Command.CLEAR]) + commands + bytes([Command.COUNTERS]),
                            Result, CounterWords)

    def run_batch(
        self, spec: NetworkSpec, samples: Sequence[npt.NDArray[Any]], passes: int = 1
    ) -> tuple[tuple[Result, ...], CounterWords]:
        """Gathers ``samples`` in the board's buffer, has their results, and then runs them
        ``passes`` times, each right behind the one before: what was counted in that time, in which
        no byte passes. ``cycles`` are those from the first beat to the last result.

        The board is reset before and behind it.

        Raises
        ------
        WrongBitstreamError
            If the board carries another network.
        LinkError
            If the samples are more than the board's buffer holds, or the passes than a command
            can say.
        """
        self.identity.expect(spec)
        ways, room = self.identity.ways, self.identity.buffer
        if not 1 <= passes <= MAX_PASSES:
            raise LinkError(f"{passes} passes of a batch; 1 to {MAX_PASSES} are possible")
        beats = np.cumsum([beat_count(spec, sample, ways) for sample in samples])
        if not len(beats) or beats[-1] > room:
            fit = int(np.searchsorted(beats, room, side="right"))
            raise LinkError(
                f"a batch of {len(samples)} samples takes {beats[-1] if len(beats) else 0} beats, "
                f"and the board's buffer holds {room}; "
                + (f"the first {fit} would fit" if fit else "give samples that are shorter"))
        self.reset()
        gathered = b"".join(encode_inference(spec, sample, ways) for sample in samples)
        *results, counted = self._ask(
            bytes([Command.GATHER]) + gathered
            + bytes([Command.RUN, 0, Command.CLEAR, Command.RUN, passes, Command.COUNTERS]),
            *[Result] * len(samples), CounterWords)
        self.reset()
        return tuple(results), counted

    def look(
        self, spec: NetworkSpec, sample: npt.NDArray[Any], moments: Iterable[tuple[int, int]]
    ) -> Iterator[Observed]:
        """What layer l did in timestep t of ``sample``, for each of ``moments`` (l, t). The board
        computes the sample anew for each.

        Raises
        ------
        WrongBitstreamError
            If the board carries another network, or was built without ``--observe``.
        """
        self.identity.expect(spec)
        if not self.identity.observed_words:
            raise WrongBitstreamError("the board was built so that nobody can read spikes and "
                                      "membranes; build it with --observe")
        inference = encode_inference(spec, sample, self.identity.ways)
        for layer, timestep in moments:
            command = bytes([Command.OBSERVE, layer]) + timestep.to_bytes(2, "little")
            yield self._ask(command + inference + bytes([Command.READ]), Result, Observed)[1]

    def counters(self) -> CounterWords:
        """What was counted since :meth:`clear` or :meth:`reset`."""
        return self._ask(bytes([Command.COUNTERS]), CounterWords)

    def clear(self) -> None:
        """Zeroes the counters."""
        self._ask(bytes([Command.CLEAR, Command.PING]), Pong)

    def load(self, image: bytes) -> None:
        """Fills the memories that can be loaded; ``image`` as of
        :func:`~.loads.board_image`, :attr:`Identity.load_bytes` long. The board is identified
        anew.

        Raises
        ------
        LinkError
            If it has another length, or the board then carries another network.
        """
        if len(image) != self.identity.load_bytes:
            raise LinkError(
                f"{len(image)} bytes for a board whose memories take {self.identity.load_bytes}; "
                f"use the folding that was built, with storage loadable or SPRAM in the layers to "
                f"load"
            )
        most = min(256, self._piece - 2)
        # Until all of it is there, the board carries no network.
        self.identity = replace(self.identity, digest=bytes(DIGEST_BYTES))
        self.identity = self._ask(
            b"".join(encode_load(image, most)) + bytes([Command.IDENTIFY]), Identity)
        if self.identity.digest != image[-DIGEST_BYTES:]:
            raise LinkError(f"the board says that it carries {self.identity.digest.hex()} after "
                            f"{image[-DIGEST_BYTES:].hex()} was loaded; reset the link and load it "
                            f"again")

    @property
    def _piece(self) -> int:
        """Bytes that are sent at once: while the board takes them, as many are under way."""
        return max(1, self._window // 2 - 1)

    def _ask(self, commands: bytes, *kinds: type[Any]) -> Any:
        """Sends ``commands``, which are answered with replies of ``kinds`` in this order; returns
        the only one, or all."""
        if self._lost:
            raise LinkError("an earlier call failed, so answers to it may still come; call reset() "
                            "before the next")
        # Until all answers are there.
        self._lost = True
        pongs, expected, answers = 0, deque(kinds), deque[Any]()
        pieces = list(split(commands, self._piece, valued=self._valued))

        def take() -> None:
            nonlocal pongs
            reply = self._next()
            if isinstance(reply, Pong) and pongs:
                pongs -= 1
            elif expected and isinstance(reply, expected[0]):
                expected.popleft()
                answers.append(reply)
            elif not isinstance(reply, Ready):  # of a RESET that was sent twice
                raise UnexpectedReplyError(
                    f"the board answered {type(reply).__name__} where "
                    f"{expected[0].__name__ if expected else 'nothing'} was asked for; reset the "
                    f"link"
                )

        for left, piece in zip(range(len(pieces) - 1, -1, -1), pieces, strict=True):
            if left:
                # Its PONG will say what has been taken.
                piece += bytes([Command.PING])
            while (self._sent - self._parser.taken) % (1 << 16) + len(piece) > self._window:
                take()
            self.link.send(self._frames.commands(piece))
            self._sent += len(piece)
            pongs += left > 0
        while pongs or expected:
            take()
        self._lost = False
        return answers[0] if len(answers) == 1 else tuple(answers)

    def _next(self) -> Reply:
        end = self.link.now() + self.timeout
        while not self._replies:
            for reply in self._parser.feed(self._received(end)):
                self._replies.append(reply)
        return self._replies.popleft()

    def _received(self, end: float) -> bytes:
        left = end - self.link.now()
        received = self.link.receive(left) if left > 0 else b""
        if not received:
            raise LinkTimeoutError(
                f"the board did not answer in {self.timeout:g} s; check the port, the baud rate "
                f"and that the bitstream is programmed, then reset the link"
            )
        return received
