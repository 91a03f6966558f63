"""Stimuli: packed and unpacked without loss, and refused when damaged."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spikewright.gen import Stimulus
from spikewright.gen.errors import DataError
from spikewright.gen.stimulus import from_argument

SPIKES = st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 20)).flatmap(
    lambda shape: arrays.arrays(np.bool_, shape) | arrays.arrays(np.uint8, shape)
)


@given(SPIKES, st.integers(-1, 9))
def test_round_trip(tmp_path_factory, spikes, label):
    path = tmp_path_factory.mktemp("stimulus") / "s.npz"
    Stimulus(spikes, np.full(len(spikes), label)).save(path)
    back = Stimulus.load(path)
    assert back.spikes.dtype == (np.uint8 if spikes.max(initial=0) > 1 else np.bool_)
    assert (back.spikes == spikes).all()
    assert back.spikes.shape == spikes.shape
    assert (back.labels == label).all()


@given(SPIKES, st.data())
def test_digest_tells_samples_apart_and_nothing_else(spikes, data):
    first = Stimulus(spikes, np.arange(len(spikes)))
    assert Stimulus(spikes.astype(np.float64), first.labels).digest == first.digest
    assert Stimulus(np.asfortranarray(spikes), first.labels).digest == first.digest
    others = [Stimulus(spikes.swapaxes(1, 2), first.labels),
              Stimulus(spikes, first.labels + 1)]
    if spikes.size:
        changed = spikes.copy()
        at = data.draw(st.tuples(*(st.integers(0, n - 1) for n in spikes.shape)))
        changed[at] = not changed[at]
        others.append(Stimulus(changed, first.labels))
    for other in others:
        same = (other.spikes.shape == first.spikes.shape
                and (other.spikes == first.spikes).all()
                and (other.labels == first.labels).all())
        assert (other.digest == first.digest) == same


def test_slices():
    stimulus = Stimulus(np.eye(3, dtype=bool)[:, None, :], np.arange(3))
    assert len(stimulus[1:]) == 2
    assert stimulus[1:].labels.tolist() == [1, 2]


@pytest.mark.parametrize(("spikes", "labels", "message"), [
    (np.zeros((2, 3)), np.zeros(2), "(2, 3)"),
    (np.full((1, 1, 1), 256), np.zeros(1), "other than the integers 0 to 255; quantise"),
    (np.full((1, 1, 1), -1), np.zeros(1), "other than the integers 0 to 255"),
    (np.full((1, 1, 1), 0.5), np.zeros(1), "other than the integers 0 to 255"),
    (np.full((1, 1, 1), np.nan), np.zeros(1), "other than the integers 0 to 255"),
    (np.full((1, 1, 1), "a"), np.zeros(1), "other than the integers 0 to 255"),
    (np.zeros((2, 1, 1)), np.zeros(3), "3 labels for 2 samples"),
])
def test_refused(spikes, labels, message):
    with pytest.raises(DataError) as error:
        Stimulus(spikes, labels)
    assert message in str(error.value)


def test_integers_of_0_and_1_are_taken():
    assert Stimulus(np.ones((1, 2, 3), np.uint8), np.zeros(1)).spikes.dtype == np.bool_


def damage(path, **changed):
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{k: v for k, v in (arrays | changed).items() if v is not None})


@pytest.mark.parametrize("changed", [
    {"labels": None}, {"packed": None}, {"inputs": None},
    {"packed": np.zeros((2, 3, 9), np.uint8)}, {"packed": np.zeros((2, 3, 2), np.int64)},
    {"packed": np.zeros((2, 3), np.uint8)}, {"inputs": np.int64(99)},
    {"labels": np.array([{}], dtype=object)}, {"values": np.zeros((2, 3), np.uint8)},
    {"values": np.zeros((2, 3, 12))},
])
def test_damaged_arrays(tmp_path, changed):
    path = tmp_path / "s.npz"
    Stimulus(np.ones((2, 3, 12), bool), np.zeros(2)).save(path)
    damage(path, **changed)
    with pytest.raises(DataError, match="no stimulus file"):
        Stimulus.load(path)


def test_damaged_files(tmp_path):
    path = tmp_path / "s.npz"
    with pytest.raises(DataError, match="cannot be read"):
        Stimulus.load(path)
    Stimulus(np.ones((2, 3, 12), bool), np.zeros(2)).save(path)
    whole = path.read_bytes()
    for content in (b"", b"PK", b"hello", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="no stimulus file"):
            Stimulus.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("packed.npy", "nonsense")
    with pytest.raises(DataError, match="no stimulus file"):
        Stimulus.load(path)


def test_arguments(make_run, tmp_path):
    run = make_run()
    run.stimulus().save(tmp_path / "mine.npz")
    assert len(from_argument(f"spikes:{tmp_path}/mine.npz", run)) == 6
    for argument in ("", "spikes", "spikes:", ":x", "tape:x"):
        with pytest.raises(DataError, match=r"SCHEME:PATH .* spikes:…"):
            from_argument(argument, run)
