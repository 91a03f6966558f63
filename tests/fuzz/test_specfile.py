"""The network's two files: the whole network, or a refusal."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen import Conv2d, MaxPool2d, NetworkSpec, npzfile, specfile
from spikewright.gen.description import build, describe
from spikewright.gen.errors import MALFORMED, SpikewrightError, one_line

from ..gen.examples import of_everything
from .archives import archives
from .law import Refused, attempt, budget, untouched
from .mutations import accidents, after, cuts, json_of, twisted

pytestmark = pytest.mark.usefixtures("little_memory")

SPEC = of_everything()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "net.json"
    specfile.save(SPEC, path)
    return path


@pytest.fixture(scope="module", params=[".json", ".npz"])
def suffix(request):
    return request.param


def load(path, content):
    """What the reader makes of the two files, ``path`` being one of them with other ``content``;
    the network, if anything."""
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        with untouched(path.parent):
            got = attempt(specfile.load, path.with_suffix(".json"))
    finally:
        path.write_bytes(whole)
    assert isinstance(got, Refused) or got == SPEC
    return got


@budget(80)
@given(data=st.data())
def test_damaged_bytes(path, suffix, data):
    whole = path.with_suffix(suffix).read_bytes()
    load(path.with_suffix(suffix), after(whole, data.draw(accidents(whole))))


@budget(30)
@given(data=st.data())
def test_truncated_files_are_refused(path, suffix, data):
    whole = path.with_suffix(suffix).read_bytes().rstrip()
    content = whole[: data.draw(cuts(whole))]
    assert isinstance(load(path.with_suffix(suffix), content), Refused)


@budget(200)
@given(data=st.data())
def test_twisted_descriptions(path, data):
    load(path, json_of(data.draw(twisted(json.loads(path.read_bytes())))))


@budget(200)
@given(data=st.data())
def test_descriptions_whose_digest_is_right(path, data):
    """A network that is accepted is what the description says: nothing is rounded or left out."""
    tree = json.loads(path.read_bytes())
    for name in ("format", "version", "digest"):
        del tree[name]
    tree = data.draw(twisted(tree))
    arrays = npzfile.read(path.with_suffix(".npz"))

    def made():
        try:
            return NetworkSpec(**build(json.loads(json_of(tree)), arrays))
        except MALFORMED as error:
            raise SpikewrightError(one_line(error)) from error

    got = attempt(made)
    if not isinstance(got, Refused):
        described, _ = describe(got)
        assert all(described[name] == value for name, value in json.loads(json_of(tree)).items()
                   if name not in ("layers", "input", "readout"))
        assert [layer["name"] for layer in described["layers"]] == [
            layer["name"] for layer in tree["layers"]]


@pytest.mark.parametrize(("change", "message"), [
    ({"input_shape": (1, 10**6, 10**6)}, "1000000000000 signals; at most"),
    ({"input_shape": (2.5,)}, "integers are needed"),
    ({"timesteps": (1 << 20) - 1}, "allowed are 1 to 65535"),
])
def test_numbers_that_are_too_large(change, message):
    with pytest.raises(SpikewrightError, match=message):
        replace(SPEC, **change)


def test_maps_that_are_too_large():
    kernel = np.ones((1, 1, 200, 200), np.int64)
    for shape, weight, message in (
        ((1, 10**6, 10**6), np.ones((1, 1, 1, 1)), "at most 4194304"),
        ((1, 2000, 2000), np.ones((9, 1, 1, 1)), "output of the convolution is .* at most"),
        ((1, 300, 300), kernel, "kernel 200×200 covers"),
    ):
        with pytest.raises(SpikewrightError, match=message):
            Conv2d(weight=weight, weight_bits=2, input_shape=shape)
    with pytest.raises(SpikewrightError, match="at most 4194304"):
        MaxPool2d(input_shape=(1, 10**6, 10**6), kernel=2)


@budget(150)
@given(data=st.data())
def test_archives_of_other_arrays(path, data):
    path = path.with_suffix(".npz")
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    load(path, data.draw(archives(arrays, str(path.parent / "trap"))).bytes())
