"""Run folders from a stranger: what the manifest does not vouch for is refused, and what it vouches
for may still be anything."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen.runfolder import MANIFEST, RunFolder

from .law import Refused, attempt, budget, untouched
from .mutations import ODD, accidents, after, cuts, json_of, twisted

pytestmark = pytest.mark.usefixtures("little_memory")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one file, beside another file that is not its own."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "precious").write_text("mine")
    run = RunFolder.create(folder / "run")
    run.record("simulate", {"golden": {"samples": 3}})
    return run.path


def everything(path):
    """What all ways to read a run give."""
    folder = RunFolder.open(path)
    return [(name, folder.written_by(name), folder.file(name, "train").read_bytes())
            for name in folder.names()]


def read(path, manifest, reader=everything):
    whole = (path / MANIFEST).read_bytes()
    (path / MANIFEST).write_bytes(manifest)
    try:
        with untouched(path.parent):
            return attempt(reader, path)
    finally:
        (path / MANIFEST).write_bytes(whole)


@budget(100)
@given(data=st.data())
def test_a_damaged_manifest(run, data):
    """One with a file less is a manifest too, but no file is ever another than was written."""
    whole = (run / MANIFEST).read_bytes()
    got = read(run, after(whole, data.draw(accidents(whole))))
    results = (run / "results.json").read_bytes()
    assert isinstance(got, Refused) or all(content == results for _, _, content in got)


@budget(50)
@given(data=st.data())
def test_a_truncated_manifest(run, data):
    whole = (run / MANIFEST).read_bytes().rstrip()
    assert isinstance(read(run, whole[: data.draw(cuts(whole))]), Refused)


@budget(250)
@given(data=st.data())
def test_a_twisted_manifest(run, data):
    """Also with names of files that are none, or outside of the run."""
    names = st.sampled_from([
        "", ".", "..", "../precious", "/etc/passwd", "a/../../precious", MANIFEST, "x\0y",
        "x" * 300, "results.json/x", "./results.json", "\ud800"])
    tree = json.loads((run / MANIFEST).read_bytes())
    for name in data.draw(st.lists(names, max_size=2)):
        digest = hashlib.sha256(b"mine").hexdigest()
        tree["files"][name] = {"sha256": digest, "command": "train"}
    if data.draw(st.booleans()):
        tree = data.draw(twisted(tree))
    got = read(run, json_of(tree))
    assert isinstance(got, Refused) or all(content != b"mine" for _, _, content in got)


@budget(150)
@given(tree=st.one_of(ODD, twisted({"check": {"samples": 3, "mismatches": 0}, "simulate": {}})))
def test_results_that_are_signed_but_are_none(run, tree):
    """A new record is added to the others, or everything stays as it is."""
    content = json_of(tree)
    folder = run.with_name("signed")
    made = RunFolder.create(folder)
    with made.writing("train") as staging:
        (staging / "results.json").write_bytes(content)
    manifest = (folder / MANIFEST).read_bytes()
    before = attempt(made.read_json, "results.json", "train")
    got = attempt(RunFolder.open(folder).record, "build", {"fmax": 1})
    if isinstance(got, Refused):
        assert (folder / "results.json").read_bytes() == content
        assert (folder / MANIFEST).read_bytes() == manifest
    else:
        assert RunFolder.open(folder).read_json("results.json", "build") == (
            before | {"build": {"fmax": 1}})
    assert Path(folder.parent / "precious").read_text() == "mine"
