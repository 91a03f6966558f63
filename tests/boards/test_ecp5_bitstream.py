"""What block memories begin with is in the bitstream as it is in the placed netlist."""

import json
import random
import re
import shutil
import sys
from pathlib import Path

import pytest

from spikewright.boards.ecp5_netlist import PLACED
from spikewright.boards.toolchain import Tool, call

from .ecp5_builds import Memories, make
from .ecp5_reference import BlockMemory

#: Undoes what ecppack does; it comes with it.
ECPUNPACK = shutil.which("ecpunpack") or shutil.which(
    "yowasp-ecpunpack", path=str(Path(sys.executable).parent))


@pytest.mark.slow
@pytest.mark.skipif(ECPUNPACK is None, reason="needs ecpunpack")
def test_the_bitstream_has_the_netlists_contents(tmp_path):
    design = Memories([(36, 512), (9, 4096)])
    make(design, tmp_path, place=True, bitstream=True)
    done = call(Tool("ecpunpack", str(ECPUNPACK), ""),
                ["--input", "top.bit", "--textcfg", "unpacked.config"], tmp_path)
    assert done.returncode == 0, done.stdout[-1000:]

    unpacked = {}
    text = (tmp_path / "unpacked.config").read_text()
    for number, words in re.findall(r"^\.bram_init (\d+)\n((?:(?:[0-9a-f]{3} *)+\n)+)", text,
                                    re.MULTILINE):
        unpacked[int(number)] = [int(word, 16) for word in words.split()]

    modules = json.loads((tmp_path / PLACED).read_text())["modules"]
    placed = {}
    for cell in modules["top"]["cells"].values():
        if cell["type"] == "DP16KD":
            contents = {key: int(value.replace("x", "0"), 2)
                        for key, value in cell["parameters"].items() if key.startswith("INITVAL")}
            placed[int(cell["attributes"]["WID"], 2)] = BlockMemory(contents).memory
    assert len(placed) == 3
    assert unpacked == placed
    rng = random.Random(5)
    first = [rng.getrandbits(36) for _ in range(512)]
    assert [word >> 9 * byte & 0x1FF for word in first for byte in range(4)] in placed.values()
