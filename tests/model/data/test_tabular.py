import numpy as np
import pytest
from sklearn import datasets

from spikewright.gen.errors import DataError
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load
from spikewright.model.data.splits import drawn
from spikewright.model.data.tabular import TABLES, scaled


@pytest.mark.parametrize(("name", "samples", "features", "classes"), [
    ("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast_cancer", 569, 30, 2),
    ("digits", 1797, 64, 10),
])
def test_tables_are_split_once_and_for_all(name, samples, features, classes):
    first, again = (load(Data(source=f"sklearn:{name}")) for _ in range(2))
    assert len(first.train) == samples * 4 // 5
    assert len(first.train) + len(first.held_back) == samples
    assert first.train.sensor_size == (features, 1, 1)
    assert first.train.classes == classes
    assert (first.held_back.images == again.held_back.images).all()
    shares = [np.bincount(part.labels) / len(part) for part in (first.train, first.held_back)]
    assert np.abs(shares[0] - shares[1]).max() < 0.03


def test_every_table_is_tested():
    assert set(TABLES) == {"iris", "wine", "breast_cancer", "digits"}


def test_standard_scaling():
    rng = np.random.default_rng(0)
    seen = rng.normal(5, 2, (4000, 2))
    mean, deviation = seen.mean(0), seen.std(0)
    at = mean + deviation * np.array([-9, -2, -1, 0, 1.99, 9])[:, None]
    expected = [0, 0, 64, 128, 255, 255]
    assert np.abs(scaled(at, seen, "standard").astype(int) - np.array(expected)[:, None]).max() <= 1


def test_range_scaling():
    seen = np.array([[0.0, 7], [16, 7], [4, 7]])
    pixels = scaled(np.array([[-1.0, 7], [0, 8], [8, 6], [15.9, 7], [99, 7]]), seen, "range")
    assert pixels.tolist() == [[0, 0], [0, 0], [128, 0], [254, 0], [255, 0]]


def test_held_back_samples_have_no_part_in_the_scaling(monkeypatch):
    features, labels = datasets.load_wine(return_X_y=True)
    before = load(Data(source="sklearn:wine"))
    _, held_back = drawn(labels, None, "wine")
    features[held_back] *= 100
    monkeypatch.setattr(datasets, "load_wine", lambda return_X_y: (features, labels))
    after = load(Data(source="sklearn:wine"))
    assert (after.train.images == before.train.images).all()
    assert (after.held_back.images != before.held_back.images).any()


@pytest.mark.parametrize(("data", "words"), [
    ({"source": "sklearn:cats"}, "no table 'cats'; allowed are sklearn:iris, "),
    ({"source": "sklearn:iris", "train": 149}, "for iris allowed are 3 to 147"),
    ({"source": "sklearn:iris", "train": 150}, "150 samples to train on out of 150"),
])
def test_refused(data, words):
    with pytest.raises(DataError, match=words):
        load(Data(**data))
