"""Bytes as levels on a wire, for test benches."""

from collections.abc import Iterable

from spikewright.boards.host import FrameCounter


async def send_bytes(ctx, line, data: Iterable[int], bit_cycles: float, *, stop: int = 1):
    """Drives 8N1 frames on ``line``; a bit lasts ``bit_cycles`` clock cycles on average."""
    begun = elapsed = 0
    for byte in data:
        for n, level in enumerate([0, *((byte >> i) & 1 for i in range(8)), stop], start=1):
            ctx.set(line, level)
            while elapsed < round(begun + n * bit_cycles):
                await ctx.tick()
                elapsed += 1
        begun += 10 * bit_cycles
    ctx.set(line, 1)


async def receive_byte(ctx, line, bit_cycles: int) -> int:
    """The next byte on ``line``; asserts start and stop bit."""
    while ctx.get(line):
        await ctx.tick()
    await ctx.tick().repeat(bit_cycles // 2)
    assert ctx.get(line) == 0, "a start bit ended early"
    byte = 0
    for i in range(8):
        await ctx.tick().repeat(bit_cycles)
        byte |= ctx.get(line) << i
    await ctx.tick().repeat(bit_cycles)
    assert ctx.get(line) == 1, f"byte 0x{byte:02x} has no stop bit"
    return byte


def framed(data: bytes, counter: FrameCounter | None = None, most: int = 24) -> bytes:
    """Commands in frames that go on where ``counter`` is, each of at most so many bytes."""
    counter = counter or FrameCounter()
    return b"".join(counter.commands(data[at : at + most]) for at in range(0, len(data), most))
