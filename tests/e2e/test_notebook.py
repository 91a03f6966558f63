"""The notebooks read well without being run, and run from top to bottom within three minutes."""

import ast
import resource
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))

#: CPU seconds, of the notebook and all that it starts.
LIMIT = 180

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def imports(code: str):
    """(module, name) of every import in ``code``; name None where a module is imported whole."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


@each
def test_as_committed(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code), "commit it without"
    assert notebook.cells[0].source.startswith("# ")
    for cell, behind in zip(notebook.cells, notebook.cells[1:], strict=False):
        assert cell.source.strip()
        assert (cell.cell_type, behind.cell_type) != ("markdown", "markdown"), "join the two"
    for module, name in imports("\n".join(cell.source for cell in code)):
        assert not any(part.startswith("_") for part in (*module.split("."), name or ""))
        if module.startswith("spikewright"):
            found = import_module(module)
            assert name is None or hasattr(found, name) or import_module(f"{module}.{name}")


@pytest.mark.slow
@each
def test_runs(path, monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "cache"))
    notebook = nbformat.read(path, as_version=4)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    NotebookClient(notebook, timeout=1200, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs
                if "<svg" in output.get("data", {}).get("text/html", "")]
    print(f"\n{path.stem}: {seconds:.0f} CPU seconds, {len(pictures)} pictures")
    assert seconds < LIMIT
    assert pictures
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    if "first difference" in printed:
        assert "first difference: None" in printed


def test_notebooks_exist():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


def test_without_a_compiler_the_virtual_board_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    notebook = nbformat.read(next(path for path in NOTEBOOKS if path.stem.startswith("06")),
                             as_version=4)
    with pytest.raises(CellExecutionError, match="CXX names 'no-such-compiler'"):
        NotebookClient(notebook, timeout=300, kernel_name="python3",
                       resources={"metadata": {"path": str(tmp_path)}}).execute()
