"""Encoded samples are kept, and never mistaken for others."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.model.data import cache, stimuli
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load

ENCODING = Encoding(timesteps=3, time_window=10_000)


@pytest.fixture
def encoded(monkeypatch):
    """How often samples were really encoded."""
    calls = []
    original = Encoding.encode

    def counted(self, *arguments):
        calls.append(self)
        return original(self, *arguments)

    monkeypatch.setattr(Encoding, "encode", counted)
    return calls


def _encode(event_file, encoding=ENCODING, **data):
    return stimuli.encode(encoding, load(Data(source=f"events:{event_file}", **data)).train, "")


def test_encoded_once(event_file, encoded, own_cache):
    first, again = (_encode(event_file) for _ in range(2))
    assert len(encoded) == 1
    assert first.digest == again.digest
    assert cache.entries() == list((own_cache / "samples").glob("*.npz"))
    assert [path.name for path in (own_cache / "samples").iterdir()] == [cache.entries()[0].name]


def test_whatever_decides_the_samples_is_part_of_the_name(event_file, event_arrays, encoded):
    first = _encode(event_file)
    assert _encode(event_file, train=20).digest != first.digest
    assert _encode(event_file, ENCODING.model_copy(update={"time_window": 5_000})).digest != (
        first.digest)
    counts = ENCODING.model_copy(update={"kind": "counts", "bits": 2})
    assert _encode(event_file, counts).digest != first.digest
    # The same name, size and time of change, but the events of one sample elsewhere.
    before = event_file.stat()
    moved = event_arrays["x"].copy()
    moved[:60] = 5 - moved[:60]
    np.savez(event_file, **{**event_arrays, "x": moved})
    os.utime(event_file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _encode(event_file).digest != first.digest
    assert len(encoded) == len(cache.entries()) == 5


def test_code_that_encodes_otherwise_does_not_read_it(event_file, encoded, monkeypatch):
    _encode(event_file)
    monkeypatch.setattr(cache, "_encoder", lambda: b"another")
    _encode(event_file)
    assert len(encoded) == 2


@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), cut=st.booleans())
def test_damaged_entries_are_made_again(event_file, at, bits, cut):
    first = _encode(event_file)
    (path,) = cache.entries()
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= bits
    path.write_bytes(content[: int(at * len(content))] if cut else content)
    again = _encode(event_file)
    assert again.digest == first.digest
    path.unlink()


def test_samples_of_another_split_under_the_same_name(event_file, encoded):
    _encode(event_file)
    (path,) = cache.entries()
    _encode(event_file, train=20).save(path)
    assert len(_encode(event_file)) == 32
    assert len(encoded) == 3


def test_a_cache_that_cannot_be_written_is_said_and_done_without(
    event_file, own_cache, capsys, encoded
):
    (own_cache / "samples").write_text("in the way")
    assert len(_encode(event_file)) == len(_encode(event_file)) == 32
    assert len(encoded) == 2
    assert "set SPIKEWRIGHT_CACHE" in capsys.readouterr().err


def test_images_are_not_kept():
    splits = load(Data(source="sklearn:iris"))
    stimuli.encode(Encoding(kind="current", bits=4, timesteps=2), splits.train, "")
    assert cache.entries() == []


def test_clear(event_file):
    _encode(event_file)
    size = cache.entries()[0].stat().st_size
    assert cache.clear() == size
    assert cache.entries() == []
