"""Guards of the layout: what the package holds, who imports whom, what a wheel needs to live."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("gen", "model", "boards")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())

#: Packages that only training and reports need.
HEAVY = ("torch", "snntorch", "tonic", "sklearn", "matplotlib")

#: Runs before a program: any of the packages named in argv[1] is as if it were not installed.
BLOCKER = """
import sys
class Blocker:
    blocked = set(sys.argv[1].split(","))
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def modules(house: str) -> list[Path]:
    return sorted((ROOT / house).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Absolute names of all modules that ``path`` imports, inside functions too."""
    package = ["spikewright", *path.relative_to(ROOT).with_suffix("").parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return names


def test_setuptools_lists_every_package():
    found = {
        ".".join(("spikewright", *folder.relative_to(ROOT).parts))
        for house in HOUSES
        for folder in [ROOT / house, *(ROOT / house).rglob("*")]
        if any(folder.glob("*.py")) or any(folder.glob("*.toml"))
    }
    assert set(SETTINGS["tool"]["setuptools"]["packages"]) == found
    assert SETTINGS["tool"]["setuptools"]["package-dir"] == {
        f"spikewright.{house}": house for house in HOUSES
    }


def test_every_folder_with_modules_has_an_init():
    for house in HOUSES:
        for path in modules(house):
            assert (path.parent / "__init__.py").exists(), path


@pytest.mark.parametrize(("house", "forbidden"), [
    ("gen", ("spikewright.model", "spikewright.boards", "torch", "snntorch", "tonic")),
    ("model", ("spikewright.boards",)),
    ("boards", ("spikewright.model", "torch", "snntorch", "tonic")),
])
def test_imports_point_at_gen(house, forbidden):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(house) for name in imported(path)
        if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden)
    ]
    assert not wrong


def test_the_import_reader_sees_all_forms(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "gen" / "rtl").mkdir(parents=True)
    file = tmp_path / "gen" / "rtl" / "x.py"
    file.write_text("import torch.nn\nfrom ...model import a\n"
                    "from ..spec import b\n"
                    "def f():\n    from . import c\n    from .d import e\n"
                    "    from snntorch import g\n")
    assert imported(file) == {"torch.nn", "spikewright.model.a", "spikewright.gen.spec.b",
                              "spikewright.gen.rtl.c", "spikewright.gen.rtl.d.e", "snntorch.g"}


def run_blocked(program: str, blocked: tuple[str, ...] = HEAVY, **environment: str):
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + program, ",".join(blocked)],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )


HARDWARE_SIDE = """
from importlib import import_module, metadata
from pathlib import Path
import spikewright.gen, spikewright.model, spikewright.boards
for house in (spikewright.gen, spikewright.boards):
    for file in sorted(Path(house.__file__).parent.rglob("*.py")):
        parts = file.relative_to(Path(house.__file__).parent).with_suffix("").parts
        if parts[-1] != "__init__":
            import_module(".".join((house.__name__, *parts)))
for point in metadata.entry_points(group="spikewright.commands"):
    assert point.load().__doc__, point
from spikewright.gen import cli
try:
    cli.main(["--help"])
except SystemExit as exit:
    assert not exit.code
"""


def test_hardware_side_needs_no_torch():
    done = run_blocked(HARDWARE_SIDE)
    assert done.returncode == 0, done.stderr
    assert "simulate" in done.stdout


def test_blocker_blocks():
    assert "No module named 'torch'" in run_blocked("import torch").stderr


def test_public_things_have_docstrings():
    bare = []
    for house in HOUSES:
        for path in modules(house):
            tree = ast.parse(path.read_text())
            named = [("module", tree), *(
                (node.name, node) for node in tree.body
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_"
            )]
            bare += [f"{path.relative_to(ROOT)}: {name}" for name, node in named
                     if ast.get_docstring(node) is None]
    assert not bare


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The project's wheel, built as pip builds it, from a copy so that no old build leaks in."""
    target, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for house in HOUSES:
        shutil.copytree(ROOT / house, source / house)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(target), str(source)],
        capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("*.whl")
    return built


@pytest.mark.xdist_group("wheel")
def test_wheel_holds_the_tree(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    for house in HOUSES:
        for file in (ROOT / house).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"spikewright/{file.relative_to(ROOT).as_posix()}" in packed
    assert not [name for name in packed if name.startswith(("tests", "gen/", "model/"))]


@pytest.mark.xdist_group("wheel")
def test_wheel_works_without_torch(wheel, tmp_path):
    """Beside the dependencies that are installed here, but with the heavy ones blocked."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(tmp_path),
         str(wheel)],
        capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The editable install's hook would answer first.
    program = "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]"
    done = run_blocked(f"{program}\n{HARDWARE_SIDE}\nassert {str(tmp_path)!r} in spikewright.gen."
                       f"__file__", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.xdist_group("wheel")
def test_wheel_installs_in_an_empty_environment(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True, timeout=120)
    python = tmp_path / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel],
                   check=True, timeout=600)
    listed = subprocess.run([python, "-m", "pip", "list"], check=True, capture_output=True,
                            text=True, timeout=60).stdout.lower()
    assert "amaranth" in listed
    assert not any(f"\n{name} " in listed for name in HEAVY)
    done = subprocess.run([tmp_path / "bin" / "spikewright", "--help"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0
    assert "generate" in done.stdout
    subprocess.run([python, "-c", "import spikewright.gen, spikewright.boards, spikewright.model"],
                   check=True, timeout=60)
