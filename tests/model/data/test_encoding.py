import numpy as np
import pytest
from pydantic import ValidationError

from spikewright.model.data.camera import EVENT
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.sources import EventDataset


def _dataset(*recordings, sensor_size=(4, 3, 2)):
    """Recordings as lists of (x, y, t, p)."""
    events = [np.array(recording, EVENT) for recording in recordings]
    return EventDataset(
        name="hand", sensor_size=sensor_size, classes=1,
        labels=np.zeros(len(events), np.int64), read=lambda i: events[i],
    )


def test_input_address_is_polarity_y_x():
    spikes = Encoding(timesteps=2, time_window=100).encode(
        _dataset([(3, 1, 99, 1), (3, 1, 99, 1), (0, 2, 100, 0), (1, 0, 200, 1)])
    )
    assert spikes.dtype == np.bool_
    assert np.argwhere(spikes).tolist() == [[0, 0, 1 * 12 + 1 * 4 + 3], [0, 1, 2 * 4]]


def test_time_bins_cut_each_recording_into_equal_parts():
    encoding = Encoding(timesteps=3)
    recording = [(0, 0, t, 0) for t in (10, 19, 25, 40)]
    spikes = encoding.encode(_dataset(recording))
    assert spikes[0, :, 0].tolist() == [True, True, False]


def test_empty_and_short_recordings_are_quiet():
    for encoding in (Encoding(timesteps=3, time_window=10), Encoding(timesteps=3)):
        spikes = encoding.encode(_dataset([], [(0, 0, 5, 0)]))
        assert spikes.shape == (2, 3, 24)
        assert not spikes[0].any()
        assert not spikes[1, 1:].any()


def test_downsample_merges_pixels():
    encoding = Encoding(timesteps=1, time_window=100, downsample=(2, 1))
    dataset = _dataset([(0, 2, 1, 0), (3, 0, 2, 1)])
    assert encoding.shape(dataset.sensor_size) == (2, 1, 2)
    assert np.argwhere(encoding.encode(dataset)).tolist() == [[0, 0, 0], [0, 0, 3]]


def test_denoise_drops_lonely_events():
    recording = [(0, 0, 510, 0), (3, 2, 511, 0), (1, 0, 512, 0)]
    spikes = Encoding(timesteps=1, time_window=1e6, denoise=100).encode(_dataset(recording))
    assert np.argwhere(spikes)[:, 2].tolist() == [1]
    only_noise = Encoding(timesteps=1, time_window=1e6, denoise=1).encode(
        _dataset([(0, 0, 10, 0), (3, 2, 1000, 0)])
    )
    assert not only_noise.any()


def test_counts_stop_at_the_largest_value():
    recording = [(0, 0, t, 0) for t in range(9)] + [(1, 0, 120, 0)] * 2
    counts = Encoding(kind="counts", bits=3, timesteps=2, time_window=100)
    assert counts.encode(_dataset(recording))[0, :, :2].tolist() == [[7, 0], [0, 2]]
    current = Encoding(kind="current", bits=4, timesteps=2)
    assert current.encode(_dataset(recording))[0, :, :2].tolist() == [[9, 2]]


@pytest.mark.parametrize("fields", [
    {"timesteps": 2, "bits": 2},
    {"timesteps": 2, "kind": "counts", "bits": 9},
    {},
    {"timesteps": 0},
    {"timesteps": 2, "time_window": 0},
    {"timesteps": 2, "downsample": (0, 3)},
])
def test_wrong_parameters(fields):
    with pytest.raises(ValidationError):
        Encoding(**fields)
