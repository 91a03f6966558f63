"""Where builds are kept, and where they are made."""

import pytest

from spikewright.boards.alone import measure
from spikewright.boards.cache import working_folder
from spikewright.gen.errors import ToolError
from spikewright.gen.folding import Folding

from ..gen.examples import one_layer


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
