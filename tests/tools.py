"""Stand-ins for the tools that make bitstreams, quick enough to test what is built around them."""

import sys
from pathlib import Path

from spikewright.boards.contents import Contents, Separated

# What each stand-in does: tells a version, notes that it ran, writes the files it is asked for.
# FAKE_FAIL names a tool that fails; FAKE_CELLS and FAKE_MHZ are what place-and-route reports.
PROGRAM = """#!{python}
import json, os, pathlib, sys
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
def after(option):
    return pathlib.Path(arguments[arguments.index(option) + 1])
if arguments in (["-V"], ["--version"]):
    print("Yosys 0.70" if name == "yosys" else "(Version nextpnr-0.11)")
    raise SystemExit
with open({log!r}, "a") as log:
    print(name, *arguments, file=log)
cells = int(os.environ.get("FAKE_CELLS", "1000"))
mhz = float(os.environ.get("FAKE_MHZ", "30"))
packs_only = "--pack-only" in arguments
if packs_only and "--asc" in arguments:
    raise SystemExit("thrown Wasm exception")
if name == "yosys":
    pathlib.Path("top.json").write_text("{{}}")
if name == "nextpnr-ice40" and packs_only or cells <= 5280:
    if name == "nextpnr-ice40":
        after("--report").write_text(json.dumps({{
            "utilization": {{"ICESTORM_LC": {{"used": cells, "available": 5280}},
                             "ICESTORM_RAM": {{"used": 20, "available": 30}},
                             "SB_IO": {{"used": 4, "available": 39}}}},
            "fmax": {{"some.clk": {{"achieved": mhz, "constraint": 12.0}}}},
        }}))
    elif name == "icepack":
        pathlib.Path(arguments[1]).write_bytes(b"bits of " + pathlib.Path("top.pcf").read_bytes())
elif name == "nextpnr-ice40":
    print("ERROR: Unable to place cell")
    raise SystemExit(125)
if os.environ.get("FAKE_FAIL") == name and not packs_only:
    print("Info: some words")
    print("ERROR: it broke")
    raise SystemExit(1)
"""


class FakeTools:
    """The stand-ins' log, and the cache folder in use."""

    def __init__(self, log: Path, cache: Path):
        self._log = log
        self.cache = cache

    def runs(self) -> list[str]:
        """Command lines since the last call, versions aside."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return lines


def install(folder: Path, monkeypatch) -> FakeTools:
    """yosys, nextpnr-ice40 and icepack that finish at once, in ``folder``, and an empty cache."""
    log, cache = folder / "log", folder / "cache"
    tools = folder / "tools"
    tools.mkdir()
    for name in ("yosys", "nextpnr-ice40", "icepack"):
        program = tools / name
        program.write_text(PROGRAM.format(python=sys._base_executable, log=str(log)))
        program.chmod(0o755)
        monkeypatch.setenv(name.upper().replace("-", "_"), str(program))
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(cache))
    # What they leave behind has no memories in which contents could be found.
    monkeypatch.setattr("spikewright.boards.build.separate",
                        lambda rtlil, *_: Separated(rtlil, Contents(), Contents()))
    return FakeTools(log, cache)
