import json
import sys
from dataclasses import replace

import pytest

from spikewright.boards import usb
from spikewright.boards.program import ProgramError, plan
from spikewright.boards.registry import BOARDS, find_board
from spikewright.boards.usb import UsbDevice
from spikewright.gen.errors import ToolError

ICEBREAKER = UsbDevice(vendor=0x0403, product=0x6010, description="1BitSquared iCEBreaker V1.0e",
                       serial="ibx1", bus=1, number=7, path="1-2", port="/dev/ttyUSB0")
OTHER = replace(ICEBREAKER, description="FTDI Dual RS232-HS", serial="", number=12, path="1-3.1")
MOUSE = UsbDevice(vendor=0x046d, product=0xc077, description="Mouse", path="1-4")

# Writes what it was called with; FAKE_FAIL makes it fail.
TOOL = """#!{python}
import json, os, sys
json.dump(sys.argv[1:], open({log!r}, "w"))
print("found a", os.environ.get("FAKE_FAIL", "flash"))
raise SystemExit("FAKE_FAIL" in os.environ)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Nothing on PATH; a function that installs a tool, and the arguments it was called with."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    log = tmp_path / "called"

    class Machine:
        def install(self, name):
            path = tmp_path / "bin" / name
            path.write_text(TOOL.format(python=sys._base_executable, log=str(log)))
            path.chmod(0o755)
            return str(path)

        def called(self):
            return json.loads(log.read_text())

    for board in BOARDS:
        for programmer in board.programmers:
            monkeypatch.delenv(programmer.variable, raising=False)
    return Machine()


@pytest.fixture
def see(monkeypatch):
    """Plugs devices in."""
    def plug(*devices):
        monkeypatch.setattr(usb, "plugged_in", lambda: list(devices))
    plug()
    return plug


@pytest.fixture
def built(make_run):
    """A run as `build` leaves it, as far as `program` looks."""
    run = make_run()
    with run.writing("build") as folder:
        board = folder / "boards" / "icebreaker"
        board.mkdir(parents=True)
        (board / "top.bin").write_bytes(b"bits")
        (board / "build.json").write_text(json.dumps({"network": run.spec().digest}))
    return run.path


COMMANDS = {
    # board: (volatile if it can, permanent if it can)
    "icestick": ("top", "top"),
    "hx8k-b-evn": ("-S top", "top"),
    "icesugar": ("top", "top"),
    "tinyfpga-bx": ("-p top", "-p top"),
    "ulx3s-85f": ("-b ulx3s -m top", "-b ulx3s -f top"),
    "colorlight-5a-75b": ("-c ft232 -m top", "-c ft232 -f top"),
    "icepi-zero": ("-b icepi-zero -m top", "-b icepi-zero -f top"),
    "ecpix5-45f": ("-b ecpix5 -m top", "-b ecpix5 -f top"),
    "orangecrab-25f": ("-d 1209:5af0 -a 0 -D top", "-d 1209:5af0 -a 0 -D top"),
    "ecp5-5g-evn": ("-b ecp5_evn -m top", "-b ecp5_evn -f top"),
    "versa-ecp5": ("-c ft2232 -m top", "-c ft2232 -f top"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments_of_a_board_alone(machine, name):
    board = find_board(name)
    machine.install(board.programmer)
    for permanent, words in zip((False, True), COMMANDS[name], strict=True):
        made = plan(board, "top", [], permanent=permanent)
        assert (made.programmer.tool, list(made.arguments)) == (board.programmer, words.split())


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_board_can_be_programmed(machine, board):
    device = UsbDevice(vendor=board.usb[0].vendor, product=board.usb[0].product, bus=1, number=2,
                       path="1-1", port="/dev/ttyACM0")
    for programmer in board.programmers:
        machine.install(programmer.tool)
        made = plan(board, "top", [device, MOUSE], tool=programmer.tool)
        assert "top" in made.arguments
        assert made.device == device
        assert not any("{" in argument for argument in made.arguments)
        assert made.run() == "found a flash\n"
        assert machine.called() == list(made.arguments)


@pytest.mark.parametrize(("board", "tool", "words"), [
    ("icebreaker", "iceprog", "-d d:001/012 top"),
    ("icebreaker", "openFPGALoader", "--busdev-num 001:012 -b ice40_generic -f top"),
    ("tinyfpga-bx", "tinyprog", "-c /dev/ttyUSB0 -p top"),
    ("orangecrab-85f", "dfu-util", "-p 1-3.1 -d 1209:5af0 -a 0 -D top"),
    ("blackice-ii", "cp", "top /dev/ttyUSB0"),
])
def test_one_of_several_boards(machine, board, tool, words):
    board = find_board(board)
    machine.install(tool)
    ids = {"vendor": board.usb[0].vendor, "product": board.usb[0].product}
    devices = [replace(ICEBREAKER, serial="A", description="", port="/dev/ttyUSB9", **ids),
               replace(OTHER, serial="B", **ids), MOUSE]
    for name in ("1-3.1", "B"):
        assert plan(board, "top", devices, device=name).arguments == tuple(words.split())
    with pytest.raises(ProgramError, match=r"2 boards could be the .*1-2 .*1-3.1 .*choose with "
                                           r"--device"):
        plan(board, "top", devices)
    with pytest.raises(ProgramError, match=r"no board .C. is plugged in that could be a .* there"):
        plan(board, "top", devices, device="C")


def test_a_board_that_says_its_name_is_told_from_others(machine):
    machine.install("iceprog")
    made = plan(find_board("icebreaker"), "top", [OTHER, ICEBREAKER])
    assert (made.device, made.arguments) == (ICEBREAKER, ("-d", "d:001/007", "top"))


def test_what_cannot_be_done_is_said(machine):
    with pytest.raises(ToolError, match=r"iceprog is not installed: apt install fpga-icestorm.*; "
                                        r"openFPGALoader is not installed: .* one of them is"):
        plan(find_board("icebreaker"), "top", [])
    with pytest.raises(ProgramError, match="ulx3s-12f is not programmed with iceprog; use openFPG"):
        plan(find_board("ulx3s-12f"), "top", [], tool="iceprog")
    machine.install("cp")
    with pytest.raises(ProgramError, match=r"no blackice-ii is plugged in .*needs its serial port"):
        plan(find_board("blackice-ii"), "top", [])
    with pytest.raises(ProgramError, match="cp does not write the flash of blackice-ii"):
        plan(find_board("blackice-ii"), "top", [], permanent=True)
    machine.install("icesprog")
    two = [UsbDevice(vendor=0x1d50, product=0x602b, path=path) for path in ("1-1", "1-2")]
    with pytest.raises(ProgramError, match="icesprog cannot choose one of several boards; leave"):
        plan(find_board("icesugar"), "top", two, device="1-1")
    machine.install("iceprog")
    hidden = [replace(OTHER, bus=0, number=0), replace(ICEBREAKER, bus=0, number=0)]
    with pytest.raises(ProgramError, match="the system does not tell iceprog where"):
        plan(find_board("icebreaker"), "top", hidden)


def test_the_second_tool_will_do_and_the_environment_decides(machine, monkeypatch):
    board = find_board("icebreaker")
    loader = machine.install("openFPGALoader")
    assert plan(board, "top", []).program == loader
    monkeypatch.setenv("ICEPROG", machine.install("mine"))
    assert plan(board, "top", []).program.endswith("/mine")
    monkeypatch.setenv("ICEPROG", "/nowhere")
    with pytest.raises(ToolError, match="ICEPROG names /nowhere, which is no program; unset it"):
        plan(board, "top", [])


def test_command(machine, see, built, spikewright):
    see(ICEBREAKER, MOUSE)
    path = machine.install("iceprog")
    code, out, err = spikewright("program", built, "--json")
    assert (code, out["flash"], out["tool"]) == (0, True, "iceprog"), err
    assert machine.called() == [str(built / "boards" / "icebreaker" / "top.bin")]
    assert "1-2 (0403:6010 1BitSquared iCEBreaker V1.0e ibx1" in out["device"]
    code, out, _ = spikewright("program", built, "--dry-run", "--device", "ibx1")
    assert (code, out) == (0, f"{path} -d d:001/007 {built}/boards/icebreaker/top.bin\n")


def test_a_dry_run_needs_nothing(machine, see, built, spikewright):
    code, out, err = spikewright("program", built, "--dry-run")
    assert (code, out) == (0, f"iceprog {built}/boards/icebreaker/top.bin\n")
    assert "no icebreaker was seen (USB 0403:6010)" in err
    assert "iceprog is not installed: apt install" in err
    code, out, err = spikewright("program", built)
    assert (code, out) == (2, "")
    assert err.startswith("error: iceprog is not installed")


def test_a_failing_tool(machine, see, built, spikewright, monkeypatch):
    machine.install("iceprog")
    monkeypatch.setenv("FAKE_FAIL", "dead chip")
    code, out, err = spikewright("program", built)
    assert (code, out) == (2, "")
    assert "failed with exit code 1 (found a dead chip); check that the board is plugged in" in err


def test_only_what_was_built_of_this_network(machine, see, built, make_run, spikewright):
    machine.install("iceprog")
    code, _, err = spikewright("program", built, "--board", "ulx3s-12f")
    assert code == 2
    assert "build" in err
    from ..gen.examples import one_layer
    make_run(spec=one_layer(12, 4))
    code, _, err = spikewright("program", built)
    assert code == 2
    assert "holds another network than" in err


def test_linux_tells_of_every_device(tmp_path, monkeypatch):
    def device(name, **files):
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text + "\n")

    device("1-2", idVendor="1209", idProduct="5af0", busnum="1", devnum="9", manufacturer="GsD",
           product="OrangeCrab", serial="xyz")
    device("1-2:1.0", bInterfaceNumber="00")
    device("usb1", idVendor="1d6b", idProduct="0002", busnum="1", devnum="1")
    monkeypatch.setattr(usb, "DEVICES", tmp_path)
    port = UsbDevice(vendor=0x1209, product=0x5af0, path="1-2", port="/dev/ttyACM0")
    elsewhere = UsbDevice(vendor=0x0403, product=0x6010, path="3-1", port="/dev/ttyUSB0")
    second = replace(elsewhere, port="/dev/ttyUSB1")
    monkeypatch.setattr(usb, "_serial_ports", lambda: iter((port, elsewhere, second)))
    crab, root, found = usb.plugged_in()
    assert crab == UsbDevice(vendor=0x1209, product=0x5af0, description="GsD OrangeCrab",
                             serial="xyz", bus=1, number=9, path="1-2", port="/dev/ttyACM0")
    assert (root.path, found) == ("usb1", elsewhere)
    monkeypatch.setattr(usb, "DEVICES", tmp_path / "none")
    assert usb.plugged_in() == [port, elsewhere]
