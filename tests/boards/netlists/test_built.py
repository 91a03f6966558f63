"""Netlists of both families and of both stages, of the smallest design with the boards' pins."""

import gzip
import json

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from spikewright.boards.build import HIDE_ELEMENTS, PLACED, netlists
from spikewright.boards.cache import FIGURES
from spikewright.boards.netlists.built import Built
from spikewright.boards.netlists.serial import Turn, converse, program
from spikewright.boards.registry import ECP5, find_board
from spikewright.boards.toolchain import call, find_tool

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("netlist_built")]


class Echo(Elaboratable):
    """What arrives at ``rx`` leaves ``tx`` two cycles later."""

    def elaborate(self, platform):
        m = Module()
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        before = Signal(init=1)
        m.d.sync += before.eq(rx.i)
        late = Signal()
        m.d.sync += late.eq(~before)
        m.d.comb += tx.o.eq(~late)
        return m


@pytest.fixture(scope="module", params=["icebreaker", "ulx3s-12f"])
def built(request, tmp_path_factory):
    board = find_board(request.param)
    folder = tmp_path_factory.mktemp(board.name)
    plan = board.make_platform().prepare(
        Echo(), emit_src=False, script_after_read=HIDE_ELEMENTS,
        nextpnr_opts=f"--write {PLACED}" if board.family is ECP5 else "")
    plan.extract(folder)
    commands = json.loads(plan.files[f"{plan.script}.json"])["commands"]
    for name, (_, *arguments) in zip(board.family.tools, commands, strict=True):
        done = call(find_tool(name), arguments, folder)
        assert done.returncode == 0, done.stdout[-2000:]
    for name in netlists(board.family):
        (folder / name).write_bytes(gzip.compress((folder / name[:-3]).read_bytes()))
    (folder / FIGURES).write_text(json.dumps({"board": board.name, "folding": []}))
    return Built.open(folder)


@pytest.mark.parametrize("stage", ["synthesis", "placed"])
def test_bytes_pass_through_the_pins(built, stage):
    hardware = built.verilog(stage)
    answers = []
    converse(program(hardware), hardware.memories, [Turn(bytes(range(0, 256, 5)), 52)],
             divisor=built.board.divisor, settle=1000, limit=10_000,
             answered=lambda number, answer: answers.append(answer))
    assert answers == [bytes(range(0, 256, 5))]
