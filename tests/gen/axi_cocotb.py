"""What runs inside the simulator for :mod:`tests.gen.test_axi`: cocotb, with cocotbext-axi's models
of a manager and of both ends of a stream. ``job.npz`` tells what to do, ``done.json`` what came."""

import json
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from spikewright.gen.axi_map import COUNTERS, Control, Register, Status


class Block:
    """The module under test and everything around it."""

    def __init__(self, dut, seed: int):
        self.dut, self.chance = dut, random.Random(seed)
        clock, reset = dut.aclk, dut.aresetn
        cocotb.start_soon(Clock(clock, 10, "ns").start())
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), clock, reset, False)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), clock, reset, False)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), clock, reset, False)
        self.broken: list[str] = []
        cocotb.start_soon(self._watch("m_axis_t", "data", "last"))
        cocotb.start_soon(self._watch("s_axil_r", "data", "resp"))
        cocotb.start_soon(self._watch("s_axil_b", "resp"))

    async def _watch(self, prefix: str, *payload: str):
        """What is offered stands until it is taken."""
        def now(name):
            return str(getattr(self.dut, prefix + name).value)

        waiting = None
        while True:
            await RisingEdge(self.dut.aclk)
            offered = [now(name) for name in payload]
            if now("valid") not in "01":
                self.broken.append(f"{prefix}valid is {now('valid')}")
            if self.dut.aresetn.value == 0:
                waiting = None
                continue
            if waiting is not None and (now("valid") != "1" or offered != waiting):
                self.broken.append(f"{prefix}: {waiting}, then {offered}")
            waiting = offered if now("valid") == "1" and now("ready") == "0" else None

    async def reset(self):
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    def stall(self, rate: float):
        """Pauses of every channel, in so many of all cycles."""
        def pauses():
            while True:
                yield self.chance.random() < rate

        channels = [self.source, self.sink, self.lite.write_if.aw_channel,
                    self.lite.write_if.w_channel, self.lite.write_if.b_channel,
                    self.lite.read_if.ar_channel, self.lite.read_if.r_channel]
        for channel in channels:
            channel.set_pause_generator(pauses())

    async def counters(self, words: int) -> list[int]:
        return [await self.lite.read_dword(COUNTERS + 4 * n) for n in range(words)]

    async def load(self, image: bytes):
        await self.lite.write_dword(Register.CONTROL, Control.BEGIN_LOAD)
        place = 0
        while place < len(image):
            # Whole words, and some that are not.
            count = min(self.chance.choice([4, 4, 4, 1, 2, 3]), len(image) - place)
            at = self.chance.randrange(5 - count)
            await self.lite.write(Register.LOAD + at, image[place : place + count])
            place += count

    async def result(self, word: int) -> list[int]:
        frame = await self.sink.recv()
        return np.frombuffer(bytes(frame.tdata), f"<i{word}").tolist()


def frame(words) -> AxiStreamFrame:
    return AxiStreamFrame(words.tobytes())


@cocotb.test()
async def everything(dut):
    job = dict(np.load("job.npz"))
    packets = np.split(job["words"], job["begins"][1:-1])
    words, answer = int(job["counters"]), int(job["answer"])
    block = Block(dut, int(job["seed"]))
    done: dict = {"registers": {}}
    await block.reset()
    lite = block.lite
    for register in Register:
        reply = await lite.read(register, 4)
        done["registers"][register.name] = int.from_bytes(reply.data, "little")
    digest = [await lite.read_dword(Register.DIGEST + 4 * n) for n in range(8)]
    done["digest"] = "".join(f"{word:08x}" for word in digest)
    replies = [await lite.read(0x3F0, 4), await lite.write(Register.IDENTITY, bytes(4)),
               await lite.read(COUNTERS + 4 * words, 4), await lite.read(Register.IDENTITY, 4)]
    done["errors"] = [int(reply.resp) for reply in replies]
    if job["image"].size:
        await block.load(job["image"].tobytes())
        done["loaded"] = await lite.read_dword(Register.STATUS) & Status.LOADED

    async def run(numbers, alone):
        results, counted = [], []
        for number in numbers:
            if alone:
                await lite.write_dword(Register.CONTROL, Control.CLEAR)
            await block.source.send(frame(packets[number]))
            if alone:
                results.append(await block.result(answer))
                counted.append(await block.counters(words))
        if not alone:
            results = [await block.result(answer) for _ in numbers]
        return {"results": results, "counters": counted}

    samples = range(len(packets))
    done["exact"] = await run(samples, True)
    block.stall(0.4)
    done["stalled"] = await run(samples, True)
    done["overlapped"] = await run(samples, False)
    block.stall(0.0)

    # A reset in the midst of it.
    done["restarted"] = []
    for number in samples:
        await block.source.send(frame(packets[number]))
        await ClockCycles(dut.aclk, block.chance.randrange(1, 400))
        await block.reset()
        block.source.clear()
        block.sink.clear()
        if job["image"].size:
            await block.load(job["image"].tobytes())
        done["restarted"].append(await run([number], True))

    # What may not be: too many timesteps, addresses that do not exist or come twice.
    ticks = np.zeros((int(job["timesteps"]) + 3, job["words"].shape[1]), job["words"].dtype)
    ticks[:, 0] = 1 << (8 * ticks.itemsize - 2)
    await block.source.send(frame(ticks))
    await block.result(answer)
    done["long"] = await lite.read_dword(Register.FAULTS)
    await lite.write_dword(Register.FAULTS, done["long"])
    # Of the words that are put in front, one comes a second time behind them, one names no input.
    first, event = packets[0], 1 << (8 * ticks.itemsize - 1)
    twice = first[:1] & ~np.array(event >> 1, first.dtype)
    nowhere = np.zeros_like(twice)
    nowhere[0, 0] = event | (event >> 1) - 1
    await block.source.send(frame(np.concatenate([twice, nowhere, first])))
    done["wrong"] = await block.result(answer)
    done["address"] = await lite.read_dword(Register.FAULTS)
    done["broken"] = block.broken
    Path("done.json").write_text(json.dumps(done))
