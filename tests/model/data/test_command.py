"""``spikewright data`` says what is here, and how to get what is not."""

import json

import numpy as np
import pytest

from spikewright.gen import cli
from spikewright.model.data import cache
from spikewright.model.data.command import data
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load
from spikewright.model.data.tonic_sets import TONIC


def _listed(capsys, **options):
    data(**options, as_json=True)
    result = json.loads(capsys.readouterr().out)
    return {source["source"]: source for source in result["sources"]}, result


def _idx(folder, prefix):
    for kind, shape in (("images-idx3", (12, 28, 28)), ("labels-idx1", (12,))):
        sizes = b"".join(size.to_bytes(4, "big") for size in shape)
        (folder / f"{prefix}-{kind}-ubyte").write_bytes(
            b"\0\0\x08" + bytes([len(shape)]) + sizes + bytes(int(np.prod(shape))))


def test_an_empty_folder(tmp_path, capsys):
    sources, result = _listed(capsys, data_root=tmp_path)
    assert result["data_root"] == str(tmp_path)
    here = {name for name, source in sources.items() if source["present"]}
    assert here == {"digits", "sklearn:iris", "sklearn:wine", "sklearn:breast_cancer",
                    "sklearn:digits"}
    for name, source in sources.items():
        assert (source["get"] is None) == (name in here)
        assert source["bytes"] == 0
    assert str(tmp_path) in sources["mnist"]["get"]
    for name, tonic_set in TONIC.items():
        assert sources[name]["get"].count(f"tonic.datasets.{tonic_set.name}(") == (
            len(tonic_set.parts))


def test_what_is_listed_as_here_can_be_loaded(tmp_path, event_arrays, capsys):
    _idx(tmp_path, "train")
    (tmp_path / "mine").mkdir()
    np.savez(tmp_path / "mine" / "a.npz", **event_arrays)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    (tmp_path / "broken.npz").write_bytes(b"PK")
    for part in ("Train", "Test"):
        for digit in range(10):
            folder = tmp_path / "NMNIST" / part / str(digit)
            folder.mkdir(parents=True)
            (folder / "1.bin").write_bytes(bytes(5))
    sources, _ = _listed(capsys, data_root=tmp_path)
    here = {name for name, source in sources.items() if source["present"]}
    assert here >= {"mnist", "nmnist", "events:mine/a.npz"}
    assert not {name for name in sources if name.startswith("events:")} - here
    assert sources["nmnist"]["bytes"] == 100
    assert sources["mnist"]["bytes"] == 12 * 785 + 16 + 8
    for name in here:
        assert len(load(Data(source=name), tmp_path).train)


def test_half_a_set_is_not_here(tmp_path, capsys):
    (tmp_path / "NMNIST" / "Train" / "3").mkdir(parents=True)
    (tmp_path / "NMNIST" / "Train" / "3" / "1.bin").write_bytes(bytes(5))
    sources, _ = _listed(capsys, data_root=tmp_path)
    assert not sources["nmnist"]["present"]


def test_for_people(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SPIKEWRIGHT_DATA", raising=False)
    data()
    shown = capsys.readouterr().out
    assert "sklearn:breast_cancer" in shown
    for name, tonic_set in TONIC.items():
        (line,) = [line for line in shown.splitlines() if line.startswith(f"{name}: ")]
        assert f"tonic.datasets.{tonic_set.name}('FOLDER'" in line
        assert line.endswith("; then set SPIKEWRIGHT_DATA=FOLDER")


@pytest.mark.parametrize("clear", [True, False])
def test_the_cache_is_measured_and_cleared(capsys, own_cache, clear):
    cache.folder().mkdir()
    (cache.folder() / "a.npz").write_bytes(bytes(70))
    _, result = _listed(capsys, clear_cache=clear)
    assert result["cache"] == {"folder": str(own_cache / "samples"), "bytes": 70 * (not clear),
                               "freed": 70 * clear}
    assert bool(cache.entries()) != clear


def test_command_is_registered():
    assert cli.run("data")["sources"]
