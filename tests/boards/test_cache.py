"""Where builds are kept, and where they are made."""

import pytest

from spikewright.boards.alone import measure
from spikewright.boards.cache import cache_folder, working_folder
from spikewright.gen.errors import ToolError
from spikewright.gen.folding import Folding

from ..gen.examples import one_layer


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("SPIKEWRIGHT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "spikewright"
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("SPIKEWRIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "spikewright"


def test_a_working_folder_is_gone_afterwards(tmp_path):
    def work():
        with working_folder(tmp_path / "cache") as working:
            (working / "half").write_text("done")
            assert working.parent == tmp_path / "cache"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert list((tmp_path / "cache").iterdir()) == []


def test_measuring_in_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolError, match=r"cannot be written .*; set SPIKEWRIGHT_CACHE to a folder"):
        measure(one_layer(3, 2), Folding())
