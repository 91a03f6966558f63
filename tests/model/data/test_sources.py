from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.gen.errors import DataError
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.event_file import from_npz
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load


def _columns(events: Any) -> list[list[Any]]:
    return [events[key].tolist() for key in "xypt"]


def test_event_file_round_trip(event_file, event_arrays):
    dataset = from_npz(event_file)
    assert (len(dataset), dataset.classes, dataset.sensor_size) == (40, 2, (6, 5, 2))
    events, label = dataset[7]
    assert label == 1
    rows = slice(*event_arrays["offsets"][7:9])
    for key in "xypt":
        assert (events[key] == event_arrays[key][rows]).all()


def test_unsorted_samples_are_sorted_each_on_its_own(tmp_path, event_arrays):
    rng = np.random.default_rng(1)
    mixed = {**event_arrays}
    order = np.concatenate([rng.permutation(60) + 60 * i for i in range(40)])
    mixed.update({key: event_arrays[key][order] for key in "xypt"})
    path = tmp_path / "mixed.npz"
    np.savez(path, **mixed)
    events, _ = from_npz(path)[3]
    assert (events["t"] == event_arrays["t"][180:240]).all()
    assert (events["x"] == event_arrays["x"][180:240]).all()


def _cut(arrays):
    return {**arrays, "x": arrays["x"][:-1]}


def _change(key, change):
    def apply(arrays):
        array = arrays[key].astype(np.int64)
        return {**arrays, key: change(array)}
    return apply


def _put(index, value):
    def change(array):
        array[index] = value
        return array
    return change


@pytest.mark.parametrize(("damage", "words"), [
    (lambda a: {k: v for k, v in a.items() if k != "labels"}, "'labels' is missing"),
    (lambda a: {**a, "t": a["t"].astype(float)}, "'t' is float64"),
    (lambda a: {**a, "x": a["x"].reshape(2, -1)}, "one dimension"),
    (_cut, "'x' has 2399 events"),
    (_change("x", _put(5, 6)), "x runs from 0 to 6; the sensor allows 0 to 5"),
    (_change("y", _put(5, -1)), "y runs from -1"),
    (_change("p", _put(5, 2)), "p runs from 0 to 2"),
    (_change("t", _put(5, -1)), "t runs from -1"),
    (_change("labels", _put(5, -1)), "labels run from -1"),
    (_change("labels", lambda a: a[:-1]), "41 offsets for 39 labels"),
    (_change("offsets", _put(0, 3)), "offsets must rise from 0"),
    (_change("offsets", _put(-1, 3000)), "number of events, 2400; they run from 0 to 3000"),
    (_change("offsets", _put(9, 0)), "not always upward"),
    (_change("sensor_size", lambda a: a[:2]), "sensor_size is"),
    (_change("sensor_size", _put(2, 3)), "sensor_size is"),
    (lambda a: {**a, "labels": a["labels"].astype(object)}, "no event file"),
])
def test_damaged_event_files(tmp_path, event_arrays, damage, words):
    path = tmp_path / "bad.npz"
    np.savez(path, **damage(event_arrays))
    with pytest.raises(DataError, match=words):
        from_npz(path)


def test_missing_truncated_and_foreign_files(tmp_path, event_file):
    with pytest.raises(DataError, match="cannot be read"):
        from_npz(tmp_path / "none.npz")
    event_file.write_bytes(event_file.read_bytes()[:-100])
    with pytest.raises(DataError, match="no event file"):
        from_npz(event_file)
    event_file.write_text("hello")
    with pytest.raises(DataError, match="no event file"):
        from_npz(event_file)


def test_a_file_that_was_written_again_is_read_again(event_file):
    before = from_npz(event_file)
    assert from_npz(event_file) is before
    with np.load(event_file) as file:
        arrays = dict(file)
    np.savez(event_file, **{**arrays, "labels": arrays["labels"][::-1]})
    np.testing.assert_array_equal(from_npz(event_file).labels, before.labels[::-1])


def test_event_files_are_split_in_order(event_file, event_arrays):
    splits = load(Data(source=f"events:{event_file}", train=25))
    assert splits.train.labels.tolist() == event_arrays["labels"][:25].tolist()
    assert splits.held_back.labels.tolist() == event_arrays["labels"][25:].tolist()
    assert _columns(splits.held_back[0][0])[3] == event_arrays["t"][1500:1560].tolist()
    assert len(load(Data(source=f"events:{event_file}")).train) == 32


def test_splits_that_cannot_be(tmp_path, event_file, event_arrays):
    with pytest.raises(DataError, match="40 samples to train on out of 40"):
        load(Data(source=f"events:{event_file}", train=40))
    np.savez(event_file, **{**event_arrays, "labels": np.sort(event_arrays["labels"])})
    with pytest.raises(DataError, match=r"labels \[1\] are held back but never trained"):
        load(Data(source=f"events:{event_file}", train=10))
    with pytest.raises(DataError, match="unknown; allowed are digits, mnist, nmnist"):
        load(Data(source="cats"))


def _grouped(event_file, event_arrays, **groups):
    np.savez(event_file, **event_arrays, **groups)
    return f"events:{event_file}"


def test_the_last_fifth_of_every_group_is_held_back(event_file, event_arrays):
    recording = np.repeat([5, 2, 9], [20, 16, 4])
    source = _grouped(event_file, event_arrays, recording=recording, camera=np.array(["a"] * 40))
    splits = load(Data(source=source, split="recording"))
    held_back = [*range(16, 20), *range(33, 36), 39]
    assert splits.held_back.labels.tolist() == [i % 2 for i in held_back]
    for j, i in enumerate(held_back):
        times = event_arrays["t"][60 * i : 60 * i + 60]
        assert _columns(splits.held_back[j][0])[3] == times.tolist()
    assert len(splits.train) == 40 - len(held_back)
    assert splits.train.groups["recording"].tolist() == np.delete(recording, held_back).tolist()
    assert len(load(Data(source=source, split="camera")).held_back) == 8


def test_groups_that_cannot_split(event_file, event_arrays):
    source = _grouped(event_file, event_arrays, recording=np.zeros(40, int), other=np.zeros(39))
    for data, words in (
        ({"source": source, "split": "other"}, "no such array .* 40 samples; it has recording"),
        ({"source": source, "split": "recording", "train": 9}, "drop one"),
        ({"source": "digits", "split": "recording"}, "only event files"),
    ):
        with pytest.raises(DataError, match=words):
            load(Data(**data))
    last = np.arange(40) // 39
    alone = _grouped(event_file, {**event_arrays, "labels": last}, recording=last)
    with pytest.raises(DataError, match="held back but never trained"):
        load(Data(source=alone, split="recording"))


def test_event_files_below_the_data_folder(tmp_path, event_file, monkeypatch):
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    monkeypatch.delenv("SPIKEWRIGHT_DATA", raising=False)
    with pytest.raises(DataError, match=r"SPIKEWRIGHT_DATA is not set; .*--data events:FILE.npz"):
        load(Data(source="events:events.npz"))
    assert len(load(Data(source="events:events.npz"), tmp_path).train) == 32
    monkeypatch.setenv("SPIKEWRIGHT_DATA", str(tmp_path))
    assert len(load(Data(source="events:events.npz")).train) == 32
    with pytest.raises(DataError, match=r"neither here nor in .*; give the whole path"):
        load(Data(source="events:none.npz"))


def test_digits_are_split_once_and_for_all():
    first, again = (load(Data(train=1437)) for _ in range(2))
    assert (len(first.train), len(first.held_back)) == (1437, 360)
    assert (first.train.labels == again.train.labels).all()
    assert (first.held_back[5][0] == again.held_back[5][0]).all()
    assert np.bincount(first.held_back.labels).min() >= 34


def test_tonic_data_is_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.delenv("SPIKEWRIGHT_DATA", raising=False)
    with pytest.raises(DataError, match="--data-root FOLDER, or set SPIKEWRIGHT_DATA"):
        load(Data(source="nmnist"))
    for source, name in (("nmnist", "NMNIST"), ("dvs-gesture", "DVSGesture"),
                         ("cifar10-dvs", "CIFAR10DVS"), ("shd", "SHD")):
        with pytest.raises(DataError, match=rf"tonic\.datasets\.{name}\("):
            load(Data(source=source), tmp_path)
    with pytest.raises(DataError, match="has its own split"):
        load(Data(source="nmnist", train=5), tmp_path)


def test_nmnist_through_tonic(tmp_path, monkeypatch):
    """ATIS: x, y, then polarity in the top bit of a 23-bit time in µs."""
    for part in ("Train", "Test"):
        for digit in range(10):
            folder = tmp_path / "NMNIST" / part / str(digit)
            folder.mkdir(parents=True)
            (folder / "00001.bin").write_bytes(bytes([3, 33, 0x80, 0, 7, digit, 5, 0x01, 0, 0]))
    monkeypatch.setenv("SPIKEWRIGHT_DATA", str(tmp_path))
    splits = load(Data(source="nmnist"))
    assert splits.train.labels.tolist() == splits.held_back.labels.tolist() == list(range(10))
    events, label = splits.held_back[4]
    assert label == 4
    assert _columns(events) == [[3, 4], [33, 5], [True, False], [7, 65536]]


def test_dvs_gesture_through_tonic(tmp_path):
    for part in ("Train", "Test"):
        folder = tmp_path / "DVSGesture" / f"ibmGesture{part}" / "user01_led"
        folder.mkdir(parents=True)
        for label in (3, 0):
            np.save(folder / f"{label}.npy", np.array([[1, 2, 1, 5], [127, 0, 0, 6 + label]]))
    splits = load(Data(source="dvs-gesture"), tmp_path)
    assert splits.train.labels.tolist() == [0, 3]
    events, _ = splits.train[1]
    assert _columns(events) == [[1, 127], [2, 0], [True, False], [5000, 9000]]
    (tmp_path / "DVSGesture" / "ibmGestureTrain" / "user01_led" / "0.npy").write_text("x")
    with pytest.raises(DataError, match="cannot be read"):
        splits.train[0]


def test_cifar10_dvs_holds_back_the_last_of_each_class(tmp_path):
    for name in ("airplane", "frog"):
        folder = tmp_path / "CIFAR10DVS" / name
        folder.mkdir(parents=True)
        for i in range(20):
            (folder / f"{name}_{i:02}.aedat4").touch()
    splits = load(Data(source="cifar10-dvs"), tmp_path)
    assert splits.train.labels.tolist() == [0] * 18 + [6] * 18
    assert splits.held_back.labels.tolist() == [0, 0, 6, 6]
    with pytest.raises(DataError, match=r"aedat|cannot be read"):
        splits.train[0]


def _shd(folder, part, labels):
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / f"shd_{part}.h5", "w") as file:
        for name, dtype, rows in (
            ("times", np.float16, [[0.5, 0.25], [], [1.0]]),
            ("units", np.uint16, [[699, 3], [], [7]]),
        ):
            array = file.create_dataset(f"spikes/{name}", (3,), h5py.vlen_dtype(dtype))
            for i, row in enumerate(rows):
                array[i] = np.array(row, dtype)
        file["labels"] = np.array(labels, np.uint8)
        file["extra/keys"] = np.array([b"zero"] * 20)
        file["extra/speaker"] = np.zeros(3, int)


def test_shd_through_tonic(tmp_path):
    _shd(tmp_path / "SHD", "train", [19, 0, 4])
    with pytest.raises(DataError, match=r"tonic\.datasets\.SHD\(.*train=False"):
        load(Data(source="shd"), tmp_path)
    _shd(tmp_path / "SHD", "test", [0, 4, 19])
    splits = load(Data(source="shd"), tmp_path)
    assert (splits.train.sensor_size, splits.train.classes) == ((700, 1, 1), 20)
    assert (splits.train.labels.tolist(), splits.held_back.labels.tolist()) == (
        [19, 0, 4], [0, 4, 19])
    events, label = splits.train[0]
    assert label == 19
    assert _columns(events) == [
        [3, 699], [0, 0], [False, False], [250_000, 500_000]]
    spikes = Encoding(timesteps=2, time_window=500_000).encode(splits.train)
    assert np.argwhere(spikes).tolist() == [[0, 0, 3], [0, 1, 699]]
    (tmp_path / "SHD" / "shd_test.h5").write_bytes(b"no h5")
    with pytest.raises(DataError, match=r"cannot be read by Tonic .*; download it again"):
        load(Data(source="shd"), tmp_path)
