"""Other weights for a finished bitstream, with the real tools."""

import shutil
import subprocess

import numpy as np
import pytest

from spikewright.boards.build import EXCHANGE, HIDE_ELEMENTS, STAGES, Build, build
from spikewright.boards.chip_texts import Ecp5Text
from spikewright.boards.contents import permuted, separate
from spikewright.boards.exchange import Exchange, ExchangeError
from spikewright.boards.registry import find_board
from spikewright.boards.top import BoardTop
from spikewright.gen import simulate
from spikewright.gen.cache import cache_folder
from spikewright.gen.trace import first_difference

from .trainings import FOLDING, training

# One process makes what they share.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exchange")]

#: Trainings that need the same widths, and whose every output neuron fires.
SEEDS = (14, 16)
SAMPLES = np.random.default_rng(5).random((20, 3, 130)) < 0.3


def require_equal(made: Build, seed: int, engine: str) -> None:
    """Scores, predictions and every counter, cycles among them, are those of the model. The board
    tells its network's digest, so a bitstream that says it is another one is refused."""
    spec = training(seed)
    trace = simulate(spec, SAMPLES, engine=engine, build=made.folder)
    reference = simulate(spec, SAMPLES, engine="cycles", folding=FOLDING)
    assert reference.scores.any()
    assert first_difference(reference, trace) is None
    np.testing.assert_array_equal(trace.scores, reference.scores)


@pytest.fixture(scope="module", params=["icebreaker", "ulx3s-12f"])
def builds(request, tmp_path_factory):
    """Of two trainings, the second one patched; what was run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        stages = []
        made = {seed: build(training(seed), find_board(request.param), FOLDING,
                            progress=stages.append) for seed in SEEDS}
        yield made, stages


def test_only_contents_are_patched(builds):
    made, stages = builds
    assert stages == [*STAGES, STAGES[2]]
    assert [made[seed].figures["placed_before"] for seed in SEEDS] == [False, True]
    assert made[SEEDS[0]].figures["structure"] == made[SEEDS[1]].figures["structure"]
    assert list(made[SEEDS[1]].figures["seconds"]) == [STAGES[2]]
    assert made[SEEDS[0]].figures["bitstream_sha256"] != made[SEEDS[1]].figures["bitstream_sha256"]


def test_the_bitstream_holds_what_its_netlist_does(builds, tmp_path):
    """Of an ECP5, whose bitstream is not simulated: unpacked, its memories and tables are those of
    the training."""
    made, _ = builds
    if made[SEEDS[1]].figures["board"] == "icebreaker":
        pytest.skip("its bitstream is simulated")
    shutil.copy(made[SEEDS[1]].folder / "top.bit", tmp_path)
    tool = shutil.which("ecpunpack") or shutil.which("yowasp-ecpunpack")
    assert tool is not None, "pip install 'spikewright[build]'"
    subprocess.run([tool, "--input", "top.bit", "--textcfg", "top.config"], cwd=tmp_path,
                   check=True, timeout=600)
    chip = Ecp5Text((tmp_path / "top.config").read_text())
    board = find_board(made[SEEDS[1]].figures["board"])
    text = board.make_platform().prepare(
        BoardTop(board, training(SEEDS[1]), FOLDING), emit_src=False,
        script_after_read=HIDE_ELEMENTS).files["top.il"]
    contents = separate(text if isinstance(text, str) else text.decode(), board.family,
                        board.part.blocks).contents
    entry = cache_folder() / "structures" / made[SEEDS[1]].figures["structure"]
    exchange = Exchange.load(entry / EXCHANGE, board.family)
    for block in exchange.blocks:
        held = chip.memory(block.place)
        np.testing.assert_array_equal(block.filled(contents, held), held)
    for table in exchange.tables:
        try:
            held = chip.table(table.place)
        except (ExchangeError, KeyError):
            held = 0xffff  # what ecpunpack does not tell is all ones
        assert held == permuted(contents.tables[table.cell], table.order)


@pytest.mark.parametrize(("seed", "engine"), [
    (SEEDS[1], "netlist"), (SEEDS[1], "synthesis"), (SEEDS[0], "netlist")])
def test_a_patched_bitstream_computes_its_training(builds, seed, engine):
    require_equal(builds[0][seed], seed, engine)
    print(f"{len(SAMPLES)} samples of training {seed} equal on engine {engine}")
