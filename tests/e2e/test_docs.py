"""The documentation builds without a warning, and its pages and the reports can be read."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spikewright.gen.cli import main

from .browser import executable, faults

ROOT = Path(__file__).resolve().parents[2]

BAD = """<html><head><meta name="viewport" content="width=device-width"></head><body>
<h1>A</h1><h3>skipped</h3><p style="color: #aaa">pale</p><div style="width: 1900px">wide</div>
<svg role="img" viewBox="0 0 1 1"></svg><a href="x"></a></body></html>"""

STUDY = """
name = "page"
recipe = "digits"
samples = 20
[set]
epochs = 1
hidden = [8]
quantisation.method = "ptq"
data.train = 100
[space]
beta = [0.5, 0.625, 0.75, 0.875, 0.9375]
seed = [0, 1]
lanes = ["8,1"]
"""

browsed = pytest.mark.skipif(executable() is None, reason="no Chromium is installed")


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site; the folders are linked under the names they are imported by, as in `make docs`."""
    links = ROOT / ".venv" / "types" / "spikewright"
    links.mkdir(parents=True, exist_ok=True)
    for house in ("gen", "model", "boards"):
        if not (links / house).exists():
            (links / house).symlink_to(ROOT / house)
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", folder], cwd=ROOT,
        capture_output=True, text=True, timeout=300,
        env={"PATH": "", "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.xdist_group("docs")
def test_builds_without_warnings(site):
    contract = (site / "reference" / "contract.html").read_text()
    assert "a network in which every number is an integer" in contract
    assert ":class:`" not in contract
    assert "wrong field" in (site / "tutorial.html").read_text()
    assert "Equality." in (site / "contributing.html").read_text()


@pytest.mark.parametrize(("text", "made"), [
    ("See :class:`~.spec.Layer` and :func:`.simulate`.", "See `Layer` and `simulate`."),
    ("So::\n\n    a ``b``\n      c\n\nand", "So:\n\n```text\na b\n  c\n```\n\nand"),
    ("    x::\n\n        y", "    x:\n\n    ```text\n    y\n    ```\n"),
    ("==  ==\na   :func:`b`\n==  ==", "\n```text\n==  ==\na   b\n==  ==\n```\n"),
])
def test_docstrings_become_markdown(text, made):
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "docs" / "docstrings.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.markdown(text) == made


def test_citation_and_version_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{citation["version"]}"' in project
    assert f'license = "{citation["license"]}"' in project
    assert f": {citation['version']}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.slow
@browsed
def test_the_check_finds_faults(tmp_path):
    (tmp_path / "bad.html").write_text(BAD)
    found = faults([tmp_path / "bad.html"], tmp_path / "profile")
    assert len(found) == 2
    for said in found.values():
        text = "\n".join(said)
        for fault in ("wide", "sticks out", "contrast 2.3", "skips a level", "no language",
                      "no title", "no name", "no text beside"):
            assert fault in text


@pytest.mark.slow
@browsed
@pytest.mark.xdist_group("docs")
def test_site_in_a_browser(site, tmp_path):
    pages = sorted(page for page in site.rglob("*.html") if page.name != "404.html")
    assert not faults(pages, tmp_path / "profile")
    print(f"\n{len(pages)} pages at two widths in two colour schemes")


@pytest.mark.slow
@browsed
def test_reports_in_a_browser(tmp_path):
    (tmp_path / "page.toml").write_text(STUDY)
    run("study", str(tmp_path / "page.toml"), "-o", str(tmp_path / "study"), "--workers", "0")
    net = next((tmp_path / "study" / "runs").iterdir())
    run("simulate", str(net), "--engine", "cycles", "--samples", "20")
    run("report", str(net))
    pages = [tmp_path / "study" / "report.html", net / "report.html"]
    assert not faults(pages, tmp_path / "profile")
