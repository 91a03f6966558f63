"""Files of samples: event recordings, MNIST's, and what the cache kept."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen import Stimulus
from spikewright.gen.npzfile import read as read_npz
from spikewright.model.data import cache, images
from spikewright.model.data.datasets import EventDataset
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.event_file import from_npz

from .archives import archives
from .law import Refused, attempt, budget, contents, untouched
from .mutations import accidents, after, cuts

pytestmark = pytest.mark.usefixtures("little_memory")

EVENTS = {
    "x": np.array([0, 3, 1, 2, 2], np.int16), "y": np.array([0, 1, 1, 0, 2], np.int16),
    "p": np.array([0, 1, 1, 0, 1], np.int8), "t": np.array([5, 9, 9, 0, 40]),
    "offsets": np.array([0, 3, 3, 5]), "labels": np.array([0, 1, 0]),
    "sensor_size": np.array([4, 3, 2]), "recording": np.array([7, 7, 8]),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "events.npz"
    np.savez_compressed(path, **EVENTS)
    return path


def seen(dataset: EventDataset):
    """All that a recording tells."""
    return (dataset.sensor_size, dataset.labels.tolist(), [
        dataset[i][0].tolist() for i in range(len(dataset))
    ], {key: value.tolist() for key, value in dataset.groups.items()})


def load(path, content):
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        with untouched(path.parent):
            return attempt(lambda: seen(from_npz(path)))
    finally:
        path.write_bytes(whole)


@budget(100)
@given(data=st.data())
def test_a_damaged_event_file(path, data):
    whole = path.read_bytes()
    got = load(path, after(whole, data.draw(accidents(whole))))
    assert isinstance(got, Refused) or got == seen(from_npz(path))


@budget(50)
@given(data=st.data())
def test_a_truncated_event_file(path, data):
    whole = path.read_bytes()
    assert isinstance(load(path, whole[: data.draw(cuts(whole))]), Refused)


@budget(300)
@given(data=st.data())
def test_an_event_file_of_other_arrays(path, data):
    got = load(path, data.draw(archives(EVENTS, str(path.parent / "trap"))).bytes())
    if isinstance(got, Refused):
        return
    (width, height, polarities), labels, recordings, _ = got
    assert len(labels) == len(recordings)
    for events in recordings:
        assert all(0 <= x < width and 0 <= y < height and 0 <= p < polarities
                   for x, y, t, p in events)
        times = [event[2] for event in events]
        assert times == sorted(times)
        assert min(times, default=0) >= 0


IDX = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x04" + bytes(range(24))


@budget(150)
@given(data=st.data(), packed=st.booleans())
def test_an_idx_file(path, data, packed):
    """A size and a checksum are all that such files have to tell damage by."""
    folder = path.parent / "mnist"
    folder.mkdir(exist_ok=True)
    name = folder / ("x.gz" if packed else "x")
    whole = gzip.compress(IDX, mtime=0) if packed else IDX
    name.write_bytes(after(whole, data.draw(accidents(whole))))
    with untouched(folder):
        got = attempt(images._read_idx, name)
    if not isinstance(got, Refused):
        assert got.dtype == np.uint8
    if not isinstance(got, Refused) and packed:
        assert got.tolist() == np.arange(24).reshape(2, 3, 4).tolist()
    name.unlink()


@budget(50)
@given(data=st.data(), packed=st.booleans())
def test_a_truncated_idx_file(path, data, packed):
    name = path.parent / ("x.gz" if packed else "x")
    whole = gzip.compress(IDX, mtime=0) if packed else IDX
    name.write_bytes(whole[: data.draw(cuts(whole))])
    assert isinstance(attempt(images._read_idx, name), Refused)
    name.unlink()


KERAS = {"x_train": np.zeros((3, 2, 2), np.uint8), "y_train": np.array([0, 9, 1], np.uint8),
         "x_test": np.ones((1, 2, 2), np.uint8), "y_test": np.array([3], np.uint8)}


@budget(150)
@given(data=st.data())
def test_kerass_archive(path, data):
    name = path.parent / "mnist.npz"
    name.write_bytes(data.draw(archives(KERAS, str(path.parent / "trap"))).bytes())
    with untouched(path.parent):
        got = attempt(images._from_keras, name)
    if not isinstance(got, Refused):
        for part in got:
            assert part.images.dtype == np.uint8
            assert part.images.ndim == 3
            assert len(part.images) == len(part.labels)
    name.unlink()


@budget(150)
@given(data=st.data())
def test_kept_samples(path, data, monkeypatch):
    """Whatever lies in the cache, samples come out as they would be encoded, or not at all; what
    cannot be used is gone."""
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(path.parent / "cache"))
    encoding, dataset = Encoding(kind="events", timesteps=2), from_npz(path)
    samples = Stimulus(np.ones((3, 2, 24), bool), dataset.labels)
    cache.keep(encoding, dataset, samples)
    entry = cache.entry(encoding, dataset)
    if data.draw(st.booleans()):
        whole = entry.read_bytes()
        entry.write_bytes(after(whole, data.draw(accidents(whole))))
        expected = [samples.digest]
    else:
        entry.write_bytes(data.draw(archives(read_npz(entry), str(path.parent / "trap"))).bytes())
        expected = None
    kept = attempt(cache.read, encoding, dataset)
    assert not isinstance(kept, Refused)
    if kept is None:
        assert not entry.exists()
    else:
        assert kept.spikes.shape == samples.spikes.shape
        assert kept.labels.tolist() == dataset.labels.tolist()
        assert expected is None or kept.digest in expected
    entry.unlink(missing_ok=True)
    assert not contents(path.parent / "cache")
