import numpy as np
import pytest

from spikewright.gen.errors import DataError
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import Dataset, EventDataset, from_npz, load


def recordings(dataset: Dataset) -> EventDataset:
    assert isinstance(dataset, EventDataset)
    return dataset


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


def test_event_files_are_split_in_order(event_file, event_arrays):
    splits = load(Data(source=f"events:{event_file}", train=25))
    assert splits.train.labels.tolist() == event_arrays["labels"][:25].tolist()
    assert splits.held_back.labels.tolist() == event_arrays["labels"][25:].tolist()
    assert (recordings(splits.held_back)[0][0]["t"] == event_arrays["t"][1500:1560]).all()
    assert len(load(Data(source=f"events:{event_file}")).train) == 32


def test_splits_that_cannot_be(tmp_path, event_file, event_arrays):
    with pytest.raises(DataError, match="40 samples to train on out of 40"):
        load(Data(source=f"events:{event_file}", train=40))
    np.savez(event_file, **{**event_arrays, "labels": np.sort(event_arrays["labels"])})
    with pytest.raises(DataError, match=r"labels \[1\] are held back but never trained"):
        load(Data(source=f"events:{event_file}", train=10))
    with pytest.raises(DataError, match="unknown; allowed are digits, mnist, nmnist"):
        load(Data(source="cats"))


def test_digits_are_split_once_and_for_all():
    first, again = (load(Data(train=1437)) for _ in range(2))
    assert (len(first.train), len(first.held_back)) == (1437, 360)
    assert (first.train.labels == again.train.labels).all()
    assert (recordings(first.held_back)[5][0] == recordings(again.held_back)[5][0]).all()
    assert np.bincount(first.held_back.labels).min() >= 34


def test_tonic_data_is_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.delenv("SPIKEWRIGHT_DATA", raising=False)
    with pytest.raises(DataError, match="--data-root FOLDER, or set SPIKEWRIGHT_DATA"):
        load(Data(source="nmnist"))
    for source, name in (("nmnist", "NMNIST"), ("dvs-gesture", "DVSGesture"),
                         ("cifar10-dvs", "CIFAR10DVS")):
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
    events, label = recordings(splits.held_back)[4]
    assert label == 4
    assert [events[k].tolist() for k in "xypt"] == [[3, 4], [33, 5], [True, False], [7, 65536]]


def test_dvs_gesture_through_tonic(tmp_path):
    for part in ("Train", "Test"):
        folder = tmp_path / "DVSGesture" / f"ibmGesture{part}" / "user01_led"
        folder.mkdir(parents=True)
        for label in (3, 0):
            np.save(folder / f"{label}.npy", np.array([[1, 2, 1, 5], [127, 0, 0, 6 + label]]))
    splits = load(Data(source="dvs-gesture"), tmp_path)
    assert splits.train.labels.tolist() == [0, 3]
    events, _ = recordings(splits.train)[1]
    assert [events[k].tolist() for k in "xypt"] == [[1, 127], [2, 0], [True, False], [5000, 9000]]
    (tmp_path / "DVSGesture" / "ibmGestureTrain" / "user01_led" / "0.npy").write_text("x")
    with pytest.raises(DataError, match="cannot be read"):
        recordings(splits.train)[0]


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
        recordings(splits.train)[0]
