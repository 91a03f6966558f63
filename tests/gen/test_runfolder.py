"""Run folders: whole or not at all, and proof that nobody changed them."""

import json

import pytest

from spikewright.gen.errors import RunFolderError
from spikewright.gen.runfolder import RunFolder, write_json, write_output


def snapshot(path):
    return {p.relative_to(path).as_posix(): p.read_bytes()
            for p in path.rglob("*") if p.is_file()}


def test_what_was_written_is_read(make_run, small_net, small_stimulus):
    run = RunFolder.open(make_run().path)
    assert run.spec() == small_net
    assert (run.stimulus().spikes == small_stimulus.spikes).all()
    assert (run.stimulus().labels == small_stimulus.labels).all()
    assert run.names() == ["spec.json", "spec.npz", "stimulus.npz"]
    assert run.written_by("spec.npz") == "compile"
    assert "spec.json" in run
    assert "report.html" not in run


def test_an_exception_leaves_the_run_as_it_was(make_run):
    run = make_run()
    before, beside = snapshot(run.path), sorted(run.path.parent.iterdir())
    with pytest.raises(KeyboardInterrupt), run.writing("generate") as folder:  # noqa: PT012
        (folder / "verilog").mkdir()
        (folder / "verilog" / "half.v").write_text("module")
        (folder / "spec.json").write_text("{}")
        raise KeyboardInterrupt
    assert snapshot(run.path) == before
    assert sorted(run.path.parent.iterdir()) == beside
    assert RunFolder.open(run.path).names() == run.names()


def test_an_exception_in_the_first_step_leaves_no_folder(tmp_path):
    run = RunFolder.create(tmp_path / "deep" / "run")
    with pytest.raises(ZeroDivisionError), run.writing("train"):
        raise ZeroDivisionError
    assert not run.path.exists()
    assert list(run.path.parent.iterdir()) == []


def test_files_of_the_same_name_are_replaced(make_run):
    run = make_run()
    with run.writing("again") as folder:
        (folder / "stimulus.npz").write_bytes(b"new")
    assert run.file("stimulus.npz", "compile").read_bytes() == b"new"
    assert RunFolder.open(run.path).written_by("stimulus.npz") == "again"
    assert run.spec()


def test_record_keeps_what_others_recorded(make_run):
    run = make_run()
    run.record("check", {"mismatches": 0})
    run.record("build", {"fmax": 1.5})
    run.record("check", {"mismatches": 2})
    assert run.read_json("results.json", "check") == {
        "check": {"mismatches": 2}, "build": {"fmax": 1.5},
    }


@pytest.mark.parametrize("content", [
    "", "{", "[]", "{}", '{"format": "other", "version": 1, "files": {}}',
])
def test_a_manifest_that_is_none(make_run, content):
    run = make_run()
    (run.path / "run.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"run\.json"):
        RunFolder.open(run.path)


@pytest.mark.parametrize("files", [
    [], {"a": 1}, {"a": {"sha256": 1, "command": "x"}}, {"a": {"sha256": "0"}},
    {"../outside": {"sha256": "0", "command": "x"}},
    {"/etc/passwd": {"sha256": "0", "command": "x"}},
    {"": {"sha256": "0", "command": "x"}},
])
def test_a_manifest_whose_files_are_wrong(make_run, files):
    run = make_run()
    write_json(run.path / "run.json", {"format": "spikewright-run", "version": 1, "files": files})
    with pytest.raises(RunFolderError, match="lists its files wrongly"):
        RunFolder.open(run.path)


def test_messages_name_file_and_remedy(make_run):
    run = make_run()
    with pytest.raises(RunFolderError, match=r"has no training\.json; run: spikewright train"):
        run.file("training.json", "train")
    with (run.path / "spec.npz").open("ab") as file:
        file.write(b" ")
    with pytest.raises(RunFolderError, match=r"changed after `spikewright compile` wrote it; run: "
                                             r"spikewright compile"):
        run.spec()
    (run.path / "spec.npz").unlink()
    with pytest.raises(RunFolderError, match="cannot be read"):
        run.spec()


def test_create_refuses_what_is_not_ours(tmp_path, make_run):
    file = tmp_path / "file"
    file.write_text("mine")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("precious")
    for path in (file, other):
        with pytest.raises(RunFolderError, match="is no run folder"):
            RunFolder.create(path)
    assert (other / "thesis.tex").read_text() == "precious"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert RunFolder.create(empty).names() == []
    assert "spec.json" in RunFolder.create(make_run().path)


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    write_json(tmp_path / "y.json", {"a": [1]})
    assert json.loads((tmp_path / "y.json").read_text()) == {"a": [1]}


def test_write_output_is_whole_or_not_at_all(tmp_path):
    write_output(tmp_path / "a" / "b.v", "text")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.v"]
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot be written"):
        write_output(tmp_path / "file" / "b.v", "text")


def test_what_another_command_wrote_meanwhile_stays(tmp_path):
    RunFolder.create(tmp_path / "run").record("train", {"accuracy": 1})
    slow = RunFolder.open(tmp_path / "run")
    RunFolder.open(tmp_path / "run").record("simulate", {"cycles": 2})
    with slow.writing("build") as folder:
        (folder / "top.bin").write_bytes(b"bits")
    slow.record("build", {"fmax": 3})
    run = RunFolder.open(tmp_path / "run")
    assert run.read_json("results.json", "train") == {
        "train": {"accuracy": 1}, "simulate": {"cycles": 2}, "build": {"fmax": 3},
    }
    assert run.file("top.bin", "build").read_bytes() == b"bits"
