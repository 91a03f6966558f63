"""The run folder: everything one trained net became, and proof that nobody changed it since.

``run.json`` lists every file with its SHA-256 and the command that wrote it. Commands ask for files
through :meth:`RunFolder.file`, which refuses what is missing, truncated or edited; they write
through :meth:`RunFolder.writing`, which puts a group of files in place at once or not at all.

==================  =============================================================================
``recipe.json``     how the net was trained, resolved: data, encoding, net, training, quantisation
``checkpoint.pt``   torch weights (read with ``weights_only=True``)
``training.json``   metrics per epoch, seed, versions, digests of the samples
``spec.json``,      the network in integers: :mod:`spikewright.gen.specfile`
``spec.npz``
``stimulus.npz``    held-back samples, encoded: :class:`spikewright.gen.Stimulus`
``compile.json``    what quantisation did to each layer and to the accuracy
``qat.pt``          training in integers, to go on from
``transfer.json``   what the weights lose from smooth spikes to hardware
``imported.json``   the same of a net from elsewhere, and what became of each of its parts
``verilog/``        generated RTL
``boards/NAME/``    bitstream, nextpnr report, utilisation and Fmax of one board
``results.json``    all figures of the run
``report.html``     the same for people
==================  =============================================================================
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from . import specfile
from .errors import DataError, RunFolderError, SpikewrightError
from .spec import NetworkSpec
from .stimulus import Stimulus

MANIFEST = "run.json"
FORMAT = "spikewright-run"
VERSION = 1


class RunFolder:
    """A folder with a manifest. Make one with :meth:`create` or :meth:`open`."""

    def __init__(self, path: Path, files: dict[str, dict[str, str]]):
        self.path = path
        self._files = files

    @classmethod
    def create(cls, path: Path | str) -> "RunFolder":
        """The run folder at ``path``, begun if there is none.

        Raises
        ------
        RunFolderError
            If ``path`` is a file, or a folder with other things in it.
        """
        path = Path(path)
        if (path / MANIFEST).exists():
            return cls.open(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(
                f"{path} exists and is no run folder; give a new path, or one that `spikewright "
                f"train` made"
            )
        return cls(path, {})

    @classmethod
    def open(cls, path: Path | str) -> "RunFolder":
        """The existing run folder at ``path``; RunFolderError if it is not one."""
        path = Path(path)
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunFolderError(
                f"{path} is no run folder (it has no {MANIFEST}); make one with `spikewright train`"
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{path / MANIFEST} cannot be read ({error}); restore it, or train anew"
            ) from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise RunFolderError(f"{path / MANIFEST} is not of a run folder; train anew")
        if manifest.get("version") != VERSION:
            raise RunFolderError(
                f"{path} has run folder version {manifest.get('version')!r}; this spikewright "
                f"reads {VERSION}; train anew, or install the spikewright that wrote it"
            )
        files = manifest.get("files")
        if not isinstance(files, dict) or not all(
            isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
            and isinstance(entry.get("command"), str) and _inside(name)
            for name, entry in files.items()
        ):
            raise RunFolderError(f"{path / MANIFEST} lists its files wrongly; train anew")
        return cls(path, files)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def names(self) -> list[str]:
        """All files of the run, with forward slashes."""
        return sorted(self._files)

    def written_by(self, name: str) -> str:
        """The command that wrote file ``name``."""
        return self._files[name]["command"]

    def file(self, name: str, command: str) -> Path:
        """Path of file ``name``, verified; ``command`` is what the message tells to run."""
        entry = self._files.get(name)
        if entry is None:
            raise RunFolderError(
                f"{self.path} has no {name}; run: {self._again(command)}"
            )
        path = self.path / name
        try:
            digest = _sha256(path)
        except OSError as error:
            raise RunFolderError(
                f"{path} cannot be read ({error.strerror}); run: {self._again(command)}"
            ) from error
        if digest != entry["sha256"]:
            raise RunFolderError(
                f"{path} was changed after `spikewright {entry['command']}` wrote it; run: "
                f"{self._again(command)}"
            )
        return path

    def _refresh(self) -> None:
        """Another command may have written to the run since this one opened it."""
        if (self.path / MANIFEST).exists():
            self._files = RunFolder.open(self.path)._files

    def _write_manifest(self, files: dict[str, dict[str, str]]) -> None:
        manifest = {"format": FORMAT, "version": VERSION, "files": files}
        write_output(self.path / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        self._files = files

    def _again(self, command: str) -> str:
        """What to type to have ``command`` write its files again."""
        if command == "train":
            return f"spikewright train RECIPE -o {self.path} --overwrite"
        return f"spikewright {command} {self.path}"

    def read_json(self, name: str, command: str) -> dict[str, Any]:
        """The verified JSON file ``name``: all of them hold one object."""
        path = self.file(name, command)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{path} is no JSON ({error}); run: {self._again(command)}"
            ) from error
        if not isinstance(content, dict):
            raise RunFolderError(
                f"{path} holds a {type(content).__name__}, not an object; run: "
                f"{self._again(command)}"
            )
        return content

    def results(self, command: str) -> dict[str, Any]:
        """``results.json[command]``: figures that were recorded before; none if there are none."""
        kept = self.read_json("results.json", command) if "results.json" in self else {}
        figures = kept.get(command, {})
        if not isinstance(figures, dict):
            raise RunFolderError(
                f"{self.path / 'results.json'} has a {type(figures).__name__} for {command}, not "
                f"an object; delete that entry"
            )
        return figures

    def spec(self) -> NetworkSpec:
        """The run's network; its two files verified against the manifest and its digest."""
        self.file("spec.npz", "compile")
        return specfile.load(self.file("spec.json", "compile"))

    def stimulus(self) -> Stimulus:
        """The run's held-back samples; DataError if there are none."""
        path = self.file("stimulus.npz", "compile")
        stimulus = Stimulus.load(path)
        if not len(stimulus):
            raise DataError(f"{path} holds no samples; run: {self._again('compile')}")
        return stimulus

    @contextmanager
    def writing(self, command: str) -> Iterator[Path]:
        """A fresh folder to write into; on success its files replace the run's of the same name.

        After an exception, or a kill, the run is as it was.
        """
        made = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{self.path.name}-", dir=self.path.parent))
        try:
            yield staging
            written = sorted(p for p in staging.rglob("*") if p.is_file())
            self.path.mkdir(exist_ok=True)
            self._refresh()
            files = dict(self._files)
            for source in written:
                name = source.relative_to(staging).as_posix()
                files[name] = {"sha256": _sha256(source), "command": command}
                target = self.path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
            self._write_manifest(files)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            if made and self.path.is_dir() and not any(self.path.iterdir()):
                self.path.rmdir()

    def clear(self) -> None:
        """Deletes every file of the run; what else lies in the folder stays."""
        self.discard(self.names())

    def discard(self, names: Iterable[str]) -> None:
        """Deletes the run's files ``names``, which are out of date."""
        gone = set(names)
        self._write_manifest({name: entry for name, entry in self._files.items()
                              if name not in gone})
        for name in gone:
            (self.path / name).unlink(missing_ok=True)

    def record(self, command: str, figures: dict[str, Any]) -> None:
        """Sets ``results.json[command]`` to ``figures``."""
        self._refresh()
        results = {}
        if "results.json" in self:
            results = self.read_json("results.json", "train")
        results[command] = figures
        with self.writing(command) as folder:
            write_json(folder / "results.json", results)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON that ends in a newline; NaN is refused, because JSON has none."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_output(path: Path, text: str) -> None:
    """``text`` to ``path``, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file made in a folder of its own gets the permissions that a user's files get.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            temporary = Path(folder) / path.name
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
    except OSError as error:
        raise SpikewrightError(f"{path} cannot be written ({error.strerror})") from error


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        name.isprintable() and name == path.as_posix() and bool(path.parts)
        and not Path(name).is_absolute() and ".." not in path.parts and name != MANIFEST
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
