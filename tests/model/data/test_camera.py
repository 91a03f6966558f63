import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spikewright.model.data.camera import EVENT, Camera

QUIET = {"noise_rate": 0, "mismatch": 0}


def _images(seed, n=2):
    return np.random.default_rng(seed).random((n, 5, 5))


def _sum(events, until, size):
    """ON minus OFF events of every pixel up to time ``until``."""
    total = np.zeros((size, size), np.int64)
    seen = events[events["t"] <= until]
    np.add.at(total, (seen["y"], seen["x"]), np.where(seen["p"], 1, -1))
    return total


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), threshold=st.floats(0.05, 0.6), look=st.integers(1, 30))
def test_events_follow_the_log_intensity(seed, threshold, look):
    """θ·(ON − OFF) is never further than θ from the change of log intensity."""
    camera = Camera(size=7, threshold=threshold, step=10_000, **QUIET)
    images = _images(seed)
    events, offsets = camera.record(images)
    until = look * camera.step
    change = camera._log_intensity(images, until) - camera._log_intensity(images, 0)
    for i in range(len(images)):
        seen = _sum(events[offsets[i] : offsets[i + 1]], until, 7)
        assert (np.abs(change[i] - threshold * seen) < threshold * (1 + 1e-9)).all()


def test_recordings_are_sorted_and_inside():
    camera = Camera(size=6, noise_rate=5)
    events, offsets = camera.record(_images(1, 4))
    assert events.dtype == EVENT
    assert offsets[0] == 0
    assert offsets[-1] == len(events)
    for i in range(4):
        t = events["t"][offsets[i] : offsets[i + 1]]
        assert len(t)
        assert (np.diff(t) >= 0).all()
        assert 0 <= t[0] <= t[-1] <= camera.duration
    for axis in "xy":
        assert events[axis].min() == 0
        assert events[axis].max() == 5
    assert {True, False} == set(events["p"].tolist())


def test_times_are_interpolated_between_looks():
    coarse, fine = (Camera(step=step, **QUIET).record(_images(2, 1))[0] for step in (5000, 100))
    assert len(np.unique(coarse["t"] % 5000)) > 100
    assert abs(len(coarse) - len(fine)) < 0.1 * len(fine)


def test_seed_decides_noise():
    record = [Camera(seed=seed).record(_images(3))[0] for seed in (0, 0, 1)]
    assert (record[0] == record[1]).all()
    assert record[0].shape != record[2].shape or (record[0] != record[2]).any()


def test_nothing_to_see_leaves_only_noise():
    dark = np.zeros((50, 5, 5))
    assert len(Camera(**QUIET).record(dark)[0]) == 0
    events, _ = Camera(size=10, noise_rate=10, mismatch=0).record(dark)
    expected = 50 * 10 * 10 * 10 * 0.3
    assert abs(len(events) - expected) < 6 * expected**0.5


def test_path_is_the_isosceles_triangle():
    camera = Camera(amplitude=2)
    corners = [camera.position(i * camera.saccade) for i in range(4)]
    assert corners == [(-1, -1), (0, 1), (1, -1), (-1, -1)]


@pytest.mark.parametrize("field", [{"size": 1}, {"threshold": 0}, {"colour": 1}])
def test_wrong_parameters(field):
    with pytest.raises(ValidationError):
        Camera(**field)
