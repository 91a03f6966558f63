"""An SPI controller, for test benches."""

from spikewright.boards.spi import SpiPeripheral

#: Seconds of a cycle of the board's clock.
CLOCK = 1e-6


async def transfer(ctx, lines, data: bytes, ratio: float, *, bits: int | None = None) -> bytes:
    """Sends ``data``, or only so many ``bits`` of it, in mode 0 on ``lines``, which are those of
    a :class:`SpiPeripheral`, with ``ratio`` cycles of the clock in a period of SCK; what came.

    Edges are where they are, not where the clock has its own.
    """
    half, came = ratio * CLOCK / 2, bytearray(len(data))
    ctx.set(lines.cs_n, 0)
    await ctx.delay(2 * half)
    for number in range(8 * len(data) if bits is None else bits):
        at, shift = number // 8, 7 - number % 8
        ctx.set(lines.copi, data[at] >> shift & 1)
        await ctx.delay(half)
        came[at] |= ctx.get(lines.cipo) << shift
        ctx.set(lines.sck, 1)
        await ctx.delay(half)
        ctx.set(lines.sck, 0)
    await ctx.delay(2 * half)
    ctx.set(lines.cs_n, 1)
    await ctx.delay(2 * half)
    return bytes(came)


__all__ = ["CLOCK", "SpiPeripheral", "transfer"]
