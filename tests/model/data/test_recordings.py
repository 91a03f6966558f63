"""Recordings as the makers' own writers write them."""

import numpy as np
import pytest

from spikewright.gen.errors import DataError
from spikewright.model.data.camera import EVENT
from spikewright.model.data.recordings import CHUNK, packets, sensor


def some_events(count: int = 2 * CHUNK + 5) -> np.ndarray:
    rng = np.random.default_rng(1)
    events = np.empty(count, EVENT)
    events["x"], events["y"] = rng.integers(0, 34, count), rng.integers(0, 30, count)
    events["p"] = rng.random(count) < 0.5
    events["t"] = 1000 + np.cumsum(rng.integers(1, 40, count))
    return events


def prophesee(path, encoding, events):
    from expelliarmus import Wizard

    own = np.empty(len(events), [("t", np.int64), ("x", np.int16), ("y", np.int16),
                                 ("p", np.uint8)])
    for name in "txyp":
        own[name] = events[name]
    Wizard(encoding=encoding).save(fpath=path, arr=own)


def inivation(path, _, events):
    dv = pytest.importorskip("dv_processing")
    config = dv.io.MonoCameraWriter.Config("camera")
    config.addEventStream((34, 30))
    writer = dv.io.MonoCameraWriter(str(path), config)
    store = dv.EventStore()
    for event in events:
        store.push_back(int(event["t"]), int(event["x"]), int(event["y"]), bool(event["p"]))
    writer.writeEvents(store)
    del writer


def nmnist(path, _, events):
    """As https://www.garrickorchard.com/datasets/n-mnist describes it."""
    rows = np.zeros((len(events), 5), np.uint8)
    rows[:, 0], rows[:, 1] = events["x"], events["y"]
    rows[:, 2] = (events["p"].astype(int) << 7) | (events["t"] >> 16)
    rows[:, 3], rows[:, 4] = events["t"] >> 8 & 255, events["t"] & 255
    path.write_bytes(rows.tobytes())


def event_file(path, _, events):
    np.savez(path, **{name: events[name].astype(np.int64) for name in "xypt"},
             offsets=np.array([0, len(events)]), labels=np.array([0]),
             sensor_size=np.array([34, 30, 2]))


WRITERS = [("a.aedat4", inivation, None, (34, 30)), ("a.raw", prophesee, "evt2", None),
           ("a.raw", prophesee, "evt3", None), ("a.dat", prophesee, "dat", None),
           ("a.bin", nmnist, None, None), ("a.npz", event_file, None, (34, 30))]


@pytest.mark.parametrize(("name", "write", "encoding", "size"), WRITERS)
def test_every_event_comes_back(tmp_path, name, write, encoding, size):
    events = some_events()
    write(tmp_path / name, encoding, events)
    read = np.concatenate(list(packets(tmp_path / name)))
    assert read.dtype == EVENT
    np.testing.assert_array_equal(np.sort(read, order=("t", "x", "y")), events)
    assert sensor(tmp_path / name) == size


def test_a_sensor_that_the_header_tells(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(b"% evt 3.0\n% geometry 1280x720\n% end\n")
    assert sensor(path) == (1280, 720)
    path.write_bytes(b"% format EVT3;height=320;width=640\n% end\n")
    assert sensor(path) == (640, 320)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.txt", b"", r"is of no known kind; \.aedat4, \.raw, \.dat, \.bin, \.npz can be read"),
    ("a.bin", b"123456", "has 6 bytes; events of 5 bytes are needed"),
    ("a.raw", b"% evt 4.0\n", "says % evt 4 in its header; EVT 2 and 3 can be read"),
    ("a.raw", b"noise", "says nothing in its header"),
    ("a.aedat4", b"noise", r"cannot be read as \.aedat4"),
    ("a.npz", b"noise", "is no event file"),
])
def test_what_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(packets(tmp_path / name))
    with pytest.raises(DataError, match="there is no such file"):
        list(packets(tmp_path / "none.raw"))
