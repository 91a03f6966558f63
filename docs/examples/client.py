"""Speaks with a board, by docs/protocol.md alone: nothing of spikewright is imported.

    python client.py PORT SAMPLES [WEIGHTS] [--shape C,H,W]

SAMPLES is a JSON file: a list of samples, each a list of timesteps, each a list of [input, value].
WEIGHTS are the bytes to load, if the board has memories that want them. ``--shape`` is that of the
input, if the first layer is a convolution. For each sample a line of JSON: scores, winner, and the
counter words. Needs pyserial.
"""

import argparse
import json
import random
import struct
import zlib

import serial

VERSION = 6
RESET, COMMANDS = 0, 1
RESULT, COUNTERS, IDENTITY, PONG, READY, ERROR = 1, 2, 3, 4, 5, 15
LAST, READ, CLEAR, IDENTIFY, PING, REWIND, LOAD = 1, 2, 3, 4, 5, 6, 7


def stuff(frame: bytes) -> bytes:
    out, block = bytearray(), bytearray()
    for place, byte in enumerate(frame):
        if byte:
            block.append(byte)
        if not byte or len(block) == 254:
            full = bool(byte)
            out += bytes([len(block) + 1]) + block
            block.clear()
            if full and place == len(frame) - 1:
                return bytes(out)
    return bytes(out + bytes([len(block) + 1]) + block)


def unstuff(stuffed: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(stuffed):
        length = stuffed[at]
        out += stuffed[at + 1 : at + length]
        at += length
        if length < 255 and at < len(stuffed):
            out.append(0)
    return bytes(out)


class Board:
    def __init__(self, path: str):
        self.port = serial.Serial(path, 1_000_000, timeout=60)
        self.sent = self.taken = 0
        self.window = 4
        for _ in range(3):
            self.number = secret = random.randrange(256)
            self.send(RESET, b"")
            # What is left of other conversations comes first.
            while self.receive(anything=True) != (READY, bytes([secret])):
                pass
        (_, self.digest, self.shape, self.addresses, self.ways, self.value_bits, self.classes,
         self.score_bits, self.timesteps, self.layers, self.words, self.window, self.buffer,
         self.load_bytes, self.clock_hz, _, _) = struct.unpack("<B8s8sHBBHBIHHHIIIHH",
                                              self.ask([bytes([IDENTIFY])], IDENTITY))

    def send(self, kind: int, body: bytes) -> None:
        frame = bytes([VERSION << 4 | kind, self.number]) + body
        frame += zlib.crc32(frame).to_bytes(4, "little")
        self.port.write(b"\0" + stuff(frame) + b"\0")
        self.number = (self.number + 1) % 256

    def receive(self, anything: bool = False) -> tuple[int, bytes]:
        while True:
            stuffed = self.port.read_until(b"\0")
            if not stuffed.endswith(b"\0"):
                raise TimeoutError("the board does not answer")
            frame = unstuff(stuffed[:-1])
            if len(frame) >= 8 and zlib.crc32(frame[:-4]).to_bytes(4, "little") == frame[-4:]:
                break
            if not anything and frame:
                raise ValueError(f"damaged frame {frame.hex()}")
        self.taken = int.from_bytes(frame[2:4], "little")
        if frame[0] >> 4 != VERSION or (frame[0] & 15 == ERROR and not anything):
            raise ValueError(f"the board reports {frame.hex()}")
        return frame[0] & 15, frame[4:-4]

    def ask(self, commands: list[bytes], *answers: int) -> bytes:
        """Sends ``commands``; returns the bodies of the ``answers``, one behind the other."""
        got, bodies, pongs = [], b"", 0

        def take() -> None:
            nonlocal pongs, bodies
            kind, body = self.receive()
            if kind == PONG and pongs:
                pongs -= 1
            else:
                got.append(kind)
                bodies += body

        # A PING may follow a command, but not stand inside of one.
        pieces = [b""]
        for command in commands:
            if len(pieces[-1]) + len(command) >= max(2, self.window // 2):
                pieces.append(b"")
            pieces[-1] += command
        for n, piece in enumerate(pieces):
            piece += bytes([PING]) if n < len(pieces) - 1 else b""
            while (self.sent - self.taken) % 65536 + len(piece) > self.window:
                take()
            self.send(COMMANDS, piece)
            self.sent += len(piece)
            pongs += n < len(pieces) - 1
        while len(got) < len(answers) or pongs:
            take()
        if got != list(answers):
            raise ValueError(f"the board answered {got}, not {list(answers)}")
        return bodies

    def load(self, weights: bytes) -> None:
        size = self.window // 4
        pieces = [weights[at : at + size] for at in range(0, len(weights), size)]
        self.ask([bytes([REWIND]), *(bytes([LOAD, len(piece) - 1]) + piece for piece in pieces),
                  bytes([PING])], PONG)

    def infer(self, sample: list, address) -> dict:
        commands = [bytes([CLEAR]), *self.encode(sample, address), bytes([LAST]), bytes([READ])]
        body = self.ask(commands, RESULT, COUNTERS)
        width = (self.score_bits + 7) // 8
        end = self.classes * width
        index = 1 if self.classes <= 256 else 2
        words = struct.unpack(f"<{self.words}I", body[end + index : -1])
        return {
            "scores": [int.from_bytes(body[at : at + width], "little", signed=True)
                       for at in range(0, end, width)],
            "winner": int.from_bytes(body[end : end + index], "little"),
            "counters": list(words), "spilled": body[-1],
        }

    def encode(self, sample: list, address) -> list[bytes]:
        out, way_bits = [], (self.ways - 1).bit_length()
        for step, events in enumerate(sample):
            if step:
                out.append(b"\x20")  # One TICKS for each timestep before; LAST ends the last one.
            ways: list[list] = [[] for _ in range(self.ways)]
            for number, value in events:
                place = address(number)
                ways[place % self.ways].append((place // self.ways, value))
            before = [-1] * self.ways
            for way in ways:
                way.sort()
            for beat in range(max(map(len, ways))):
                for way in range(self.ways):
                    if beat < len(ways[way]):
                        place, value = ways[way][beat]
                        apart = (place - before[way] - 1) << way_bits | way
                        before[way] = place
                        skips = [apart >> 13 & 63, apart >> 7 & 63] if apart >> 13 else (
                            [apart >> 7] if apart >> 7 else [])
                        out.append(bytes([*(0x40 | skip for skip in skips), 0x80 | apart & 127,
                                          *([value] if self.value_bits else [])]))
        return out


def by_place(shape: list[int]):
    """Inputs of a convolution, numbered channel by channel, row by row, as addresses."""
    _, height, width = shape
    bits_x, bits_y = (max(1, (size - 1).bit_length()) for size in (width, height))

    def address(number: int) -> int:
        channel, rest = divmod(number, height * width)
        y, x = divmod(rest, width)
        return (channel << bits_y | y) << bits_x | x

    return address


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("samples")
    parser.add_argument("weights", nargs="?")
    parser.add_argument("--shape")
    given = parser.parse_args()
    address = by_place([int(size) for size in given.shape.split(",")]) if given.shape else int
    board = Board(given.port)
    if given.weights:
        with open(given.weights, "rb") as file:
            board.load(file.read())
    with open(given.samples) as file:
        samples = json.load(file)
    for sample in samples:
        print(json.dumps(board.infer(sample, address)), flush=True)


if __name__ == "__main__":
    main()
