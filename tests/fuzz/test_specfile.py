"""The network's two files: the whole network, or a refusal."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen import specfile

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


@budget(150)
@given(data=st.data())
def test_archives_of_other_arrays(path, data):
    path = path.with_suffix(".npz")
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    load(path, data.draw(archives(arrays, str(path.parent / "trap"))).bytes())
