"""What fuzzing found, shrunk: each once broke the reader, or made it take something else."""

import io
import json

import h5py
import numpy as np
import pytest

from spikewright.boards.nextpnr_report import read_report
from spikewright.boards.registry import find_board
from spikewright.gen import Stimulus, npzfile, simulate, specfile
from spikewright.gen.errors import ToolError
from spikewright.gen.runfolder import MANIFEST, RunFolder
from spikewright.model.data.event_file import from_npz
from spikewright.model.exchange import nir_import
from spikewright.model.recipe import Recipe
from spikewright.model.training import checkpoint

from .archives import Archive, Member
from .law import Refused, attempt
from .mutations import DEEP, json_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "found"


def refused(reader, *arguments, **keywords) -> str:
    got = attempt(reader, *arguments, **keywords)
    assert isinstance(got, Refused), got
    return got.message


LABELS = Member.of("labels", np.zeros(1, np.int64))
VALUES = Member.of("values", np.ones((1, 1, 1), np.uint8))


@pytest.mark.parametrize(("members", "message"), [
    ([VALUES, Member("labels", "<i8", (2**40,), bytes(8))], "holds 8 bytes for"),  # took a TiB
    ([VALUES, Member("labels", "<i8", (10**30,), b"")], "holds 0 bytes for"),  # OverflowError
    ([VALUES, Member("labels", "<i8", (-1,), b"")], "holds 0 bytes for"),
    ([VALUES, LABELS, LABELS], "is there 2 times"),  # the last one won
    ([VALUES, Member.of("labels", np.array([0.5]))], "labels is float64"),  # became 0
    ([VALUES, Member.of("labels", np.array(["a"]))], "labels is <U1"),  # ValueError
    ([VALUES, Member.of("labels", np.array([2**63], np.uint64))], "goes up to"),  # below 0
    ([LABELS, Member.of("packed", np.zeros((1, 1, 1), np.uint8)),
      Member.of("inputs", np.array([7]))], "inputs is int64 of shape"),  # TypeError
    ([LABELS, Member.of("packed", np.zeros((1, 1, 1), np.uint8)),
      Member.of("inputs", np.array(7.9))], "inputs is float64"),  # became 7
    ([LABELS, Member.of("packed", np.zeros((1, 1, 0), np.uint8)),
      Member.of("inputs", np.array(-5))], "0 bytes for -5 inputs"),
])
def test_samples(path, members, message):
    path.write_bytes(Archive(tuple(members)).bytes())
    assert message in refused(Stimulus.load, path)


def test_an_npy_is_no_npz(path):
    """It was a TypeError: an array is no context manager."""
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    for reader in (Stimulus.load, from_npz):
        assert "is no" in refused(reader, path)


def test_a_bomb_is_not_unpacked(path):
    path.write_bytes(Archive((Member.of("x", np.zeros(1 << 20, np.uint8)),)).bytes())
    assert path.stat().st_size < 2000
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        npzfile.read(path, 1_000_000)


def test_a_flipped_bit_in_packed_weights(tmp_path, small_net):
    """It was a traceback of zlib's."""
    specfile.save(small_net, tmp_path / "net.json")
    whole = (tmp_path / "net.npz").read_bytes()
    for at in range(60, len(whole), 7):
        (tmp_path / "net.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        got = attempt(specfile.load, tmp_path / "net.json")
        assert isinstance(got, Refused) or got == small_net


def test_brackets_in_brackets(tmp_path, small_net):
    """Each was a RecursionError."""
    specfile.save(small_net, tmp_path / "net.json")
    (tmp_path / "net.json").write_bytes(json_of(DEEP))
    assert "damaged" in refused(specfile.load, tmp_path / "net.json")
    (tmp_path / MANIFEST).write_bytes(json_of(DEEP))
    assert "cannot be read" in refused(RunFolder.open, tmp_path)
    (tmp_path / "deep.toml").write_text(f"x = {DEEP.text}")
    assert "no valid TOML" in refused(Recipe.load, str(tmp_path / "deep.toml"))
    (tmp_path / "report.json").write_bytes(json_of(DEEP))
    assert "no usable report" in refused(read_report, tmp_path / "report.json",
                                         find_board("icebreaker"))


@pytest.mark.parametrize("name", ["x\0y", ".", MANIFEST, "a//b", "./results.json", "\n"])
def test_a_manifest_with_a_name_that_is_none(make_run, name):
    """A NUL was a ValueError, the manifest's own name had it deleted with the run's files."""
    run = make_run().path
    manifest = json.loads((run / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": "0", "command": "train"}
    (run / MANIFEST).write_text(json.dumps(manifest))
    assert "lists its files wrongly" in refused(RunFolder.open, run)


@pytest.mark.parametrize("results", ["null", "[]", "7", '{"simulate": 3}'])
def test_results_that_are_none(make_run, results):
    """They are vouched for, and were a TypeError."""
    run = make_run()
    with run.writing("train") as folder:
        (folder / "results.json").write_text(results)
    assert "results.json" in refused(run.results, "simulate")


def test_half_a_net_is_not_restored():
    """The first layer was taken before the second was found not to fit."""
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = {name: tensor + 1 for name, tensor in before.items()} | {"1.bias": torch.zeros(3)}
    assert "1.bias" in refused(checkpoint.restore_weights, net, {"model": state})
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    state["1.bias"] = torch.zeros(2, dtype=torch.complex64)  # its imaginary part was dropped
    assert "complex64" in refused(checkpoint.restore_weights, net, {"model": state})


@pytest.mark.parametrize("fill", [
    lambda file: file.create_dataset("node", data=3),  # AttributeError
    lambda file: file.create_group("node").create_dataset("type", data="NIRGraph"),  # KeyError
    lambda file: file.create_group("node").create_dataset("type", data=b"\xff"),
])
def test_nir(tmp_path, fill):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        fill(file)
    (tmp_path / "net.nir").write_bytes(content.getvalue())
    assert "NIR" in refused(nir_import.load, tmp_path / "net.nir")


def test_infinity_in_a_recipe():
    assert "finite" in refused(Recipe.load("digits").override, "training", sharpness=float("inf"))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["verilator", "cxxrtl"])
def test_a_sweep_of_one_step(engine):
    """Its number has no bits, and a port of no bits was no port."""
    from ..gen.examples import one_layer

    spec = one_layer(1, 1)
    try:
        trace = simulate(spec, np.ones((1, 1, 1), bool), engine=engine)
    except ToolError as error:
        pytest.skip(str(error))
    golden = simulate(spec, np.ones((1, 1, 1), bool), engine="golden")
    assert trace.scores.tolist() == golden.scores.tolist()
