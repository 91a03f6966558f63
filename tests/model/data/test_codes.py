from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError
from snntorch import spikegen

from spikewright.gen.errors import DataError
from spikewright.gen.spec import InputKind
from spikewright.model.data import codes
from spikewright.model.data.camera import EVENT
from spikewright.model.data.datasets import EventDataset
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.images import ImageDataset

values = hnp.arrays(np.float32, (3, 4), elements=st.integers(0, 255).map(lambda v: v / 255))
times = st.integers(1, 20)


def _images(samples=6, side=4, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (samples, side, side), np.uint8)
    return ImageDataset(name="noise", classes=2, images=images,
                        labels=np.arange(samples, dtype=np.int64) % 2)


def _assert_larger_values_spike_first(x, when):
    order = np.argsort(-x, axis=1, kind="stable")
    for times_in_order in np.take_along_axis(when, order, axis=1):
        assert times_in_order.tolist() == sorted(times_in_order)


def test_random_rate_spikes_as_often_as_the_value_says():
    p = np.linspace(0, 1, 11, dtype=np.float32)[np.newaxis]
    timesteps = 20_000
    rates = codes.from_rate(codes.random_rate(p, timesteps, seed=3))
    assert (np.abs(rates - p) <= 5 * np.sqrt(p * (1 - p) / timesteps)).all()
    # Independent in time: neighbours spike together as often as the product says.
    spikes = codes.random_rate(np.full((1, 2000), 0.5, np.float32), 50)[0]
    for first, second in ((spikes[:-1], spikes[1:]), (spikes[:, :-1], spikes[:, 1:])):
        assert abs((first & second).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / first.size) * 2


@given(values, times, st.integers(0, 2**63 - 1))
def test_random_rate_depends_on_the_sample_and_the_seed_alone(x, timesteps, seed):
    spikes = codes.random_rate(x, timesteps, seed)
    np.testing.assert_array_equal(codes.random_rate(x[::-1], timesteps, seed), spikes[::-1])
    assert spikes.transpose(0, 2, 1)[x == 1].all()
    assert not spikes.transpose(0, 2, 1)[x == 0].any()


def test_random_rate_of_another_seed_is_another():
    x = np.full((1, 100), 0.5, np.float32)
    assert (codes.random_rate(x, 10, 0) != codes.random_rate(x, 10, 1)).mean() > 0.4


@given(values, times)
def test_even_rate_has_as_many_spikes_as_fit_at_even_distances(x, timesteps):
    spikes = codes.even_rate(x, timesteps)
    wanted = np.floor(timesteps * x.astype(np.float64) + 0.5)
    np.testing.assert_array_equal(spikes.sum(axis=1), wanted)
    for train in spikes.transpose(0, 2, 1).reshape(-1, timesteps):
        distances = np.diff(np.flatnonzero(train))
        assert distances.size == 0 or np.ptp(distances) <= 1


@given(values, times)
def test_linear_latency_spikes_once_and_in_order(x, timesteps):
    spikes = codes.latency(x, timesteps)
    fired = x >= 0.01
    np.testing.assert_array_equal(spikes.sum(axis=1), fired)
    when = np.where(fired, spikes.argmax(axis=1), timesteps)
    _assert_larger_values_spike_first(x, when)
    if timesteps > 1:
        error = np.abs(codes.from_latency(spikes) - x)[fired]
        assert (error <= 0.5 / (timesteps - 1) + 1e-6).all()


@given(values, times, st.floats(0.1, 5), st.floats(0.05, 0.5))
def test_charging_latency_spikes_at_most_once_and_in_order(x, timesteps, tau, threshold):
    spikes = codes.latency(x, timesteps, threshold, tau)
    assert (spikes.sum(axis=1) <= (x >= np.float32(threshold))).all()
    expected: Any = spikegen.latency(torch.from_numpy(x), num_steps=timesteps, threshold=threshold,
                                tau=tau, clip=True, bypass=True)
    np.testing.assert_array_equal(spikes, expected.numpy().swapaxes(0, 1) > 0)
    when = np.where(spikes.any(axis=1), spikes.argmax(axis=1), timesteps)
    _assert_larger_values_spike_first(x, when)


@settings(deadline=None)
@given(st.data(), st.floats(0.01, 0.5))
def test_delta_reconstructs_what_moves_by_at_most_a_step(data, threshold):
    moves = data.draw(hnp.arrays(np.float64, (2, 15, 3), elements=st.floats(-1, 1)))
    series = moves.cumsum(axis=1) * threshold
    spikes = codes.delta(series, threshold)
    assert not (spikes[:, :, 0] & spikes[:, :, 1]).any()
    error = np.abs(codes.from_delta(spikes, threshold) - series)
    assert (error <= threshold * (1 + 1e-9)).all()


def test_delta_by_hand():
    series = np.array([0.1, 0.25, 0.3, 0.3, 0.0]).reshape(1, 5, 1)
    spikes = codes.delta(series, 0.1)
    assert spikes[0, :, 1, 0].tolist() == [True, True, False, False, False]
    assert spikes[0, :, 0, 0].tolist() == [False, False, False, False, True]


@pytest.mark.parametrize(("fields", "shape"), [
    ({"kind": "rate", "timesteps": 5}, (1, 4, 4)),
    ({"kind": "rate", "spacing": "even", "timesteps": 5}, (1, 4, 4)),
    ({"kind": "rate", "seed": 7, "timesteps": 5}, (1, 4, 4)),
    ({"kind": "latency", "timesteps": 5}, (1, 4, 4)),
    ({"kind": "latency", "tau": 1.5, "threshold": 0.2, "timesteps": 5}, (1, 4, 4)),
    ({"kind": "delta", "threshold": 0.3, "timesteps": 8}, (2, 1, 4)),
])
def test_encoding_of_images_is_the_same_in_every_subset(fields, shape):
    images, encoding = _images(), Encoding(**fields)
    spikes = encoding.encode(images)
    assert spikes.dtype == np.bool_
    assert spikes.shape == (6, encoding.timesteps, int(np.prod(shape)))
    assert spikes.any()
    assert encoding.shape(images.sensor_size) == shape
    assert (encoding.input.kind, encoding.input.bits) == (InputKind.EVENTS, 1)
    np.testing.assert_array_equal(encoding.encode(images.subset([4, 1])), spikes[[4, 1]])
    assert Encoding.model_validate(encoding.model_dump(mode="json")) == encoding


def test_a_delta_holds_each_row_equally_long():
    with pytest.raises(DataError, match=r"has 4 rows.* give 8"):
        Encoding(kind="delta", timesteps=9).encode(_images())


def test_kinds_that_do_not_suit_the_samples():
    with pytest.raises(DataError, match="have no time"):
        Encoding(timesteps=4).encode(_images())
    recording = EventDataset(name="hand", sensor_size=(2, 2, 2), classes=1,
                             labels=np.zeros(1, np.int64), read=lambda i: np.zeros(0, EVENT))
    with pytest.raises(DataError, match="spikes already"):
        Encoding(kind="rate", timesteps=4).encode(recording)


@pytest.mark.parametrize("fields", [
    {"kind": "rate", "bits": 2},
    {"kind": "events", "seed": 1},
    {"kind": "latency", "spacing": "even"},
    {"kind": "rate", "threshold": 0.5},
    {"kind": "delta", "tau": 2},
    {"kind": "delta", "threshold": 1.0},
])
def test_fields_of_other_kinds_are_refused(fields):
    with pytest.raises(ValidationError):
        Encoding(timesteps=4, **fields)


def test_a_run_of_long_ago_finds_the_same_spikes():
    """What was drawn once stays drawn, or runs could not be repeated from their folders."""
    (sample,) = codes.random_rate(np.array([[0.1, 0.5, 0.9]], np.float32), 16, seed=5)
    assert ["".join(".|"[spike] for spike in train) for train in sample.T.astype(int)] == [
        "....|...........", "..|.|..|||.|...|", "||||||||||||||||"]
