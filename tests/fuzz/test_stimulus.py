"""Samples in npz files: as they were saved, or a refusal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen import Stimulus

from .archives import archives
from .law import Refused, attempt, budget, untouched
from .mutations import accidents, after, cuts

pytestmark = pytest.mark.usefixtures("little_memory")

RNG = np.random.default_rng(0)
SPIKES = Stimulus(RNG.random((3, 4, 11)) < 0.4, np.array([0, 2, -1]))
VALUES = Stimulus(RNG.integers(0, 9, (3, 4, 11)), np.array([0, 2, -1]))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("stimulus") / "samples.npz"


def saved(path, stimulus):
    stimulus.save(path)
    return path.read_bytes()


def load(path, content):
    path.write_bytes(content)
    with untouched(path.parent):
        return attempt(Stimulus.load, path)


@budget(200)
@given(data=st.data(), stimulus=st.sampled_from([SPIKES, VALUES]))
def test_damaged_bytes(path, data, stimulus):
    whole = saved(path, stimulus)
    got = load(path, after(whole, data.draw(accidents(whole))))
    assert isinstance(got, Refused) or got.digest == stimulus.digest


@budget(60)
@given(data=st.data(), stimulus=st.sampled_from([SPIKES, VALUES]))
def test_truncated_files_are_refused(path, data, stimulus):
    whole = saved(path, stimulus)
    assert isinstance(load(path, whole[: data.draw(cuts(whole))]), Refused)


@budget(300)
@given(data=st.data(), stimulus=st.sampled_from([SPIKES, VALUES]))
def test_archives_of_other_arrays(path, data, stimulus):
    saved(path, stimulus)
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    got = load(path, data.draw(archives(arrays, str(path.parent / "trap"))).bytes())
    if not isinstance(got, Refused):
        assert got.spikes.ndim == 3
        assert got.spikes.dtype in (np.bool_, np.uint8)
        assert got.labels.dtype == np.int64
        assert len(got.labels) == len(got.spikes)
