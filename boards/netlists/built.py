"""A folder that ``build`` made, and the Verilog of what is in it."""

import json
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ...gen.errors import ToolError
from ...gen.folding import Folding
from ...gen.folding_options import from_json
from ...gen.spec import NetworkSpec
from .. import ecp5_netlist
from ..build import netlists
from ..cache import FIGURES, unpacked
from ..protocol import WrongBitstreamError
from ..registry import ICE40, Board, find_board
from . import ice40, ice40_synthesised
from .serial import Hardware

Stage = Literal["synthesis", "placed"]


@dataclass(frozen=True)
class Built:
    """``figures`` are those of its ``build.json``."""

    folder: Path
    board: Board
    figures: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "Built":
        """The build in ``folder``.

        Raises
        ------
        ToolError
            If there is none, or not all of it.
        """
        again = "run: spikewright build RUN --board B"
        try:
            figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
            board = replace(find_board(figures["board"]), clock_hz=figures["clock_mhz"] * 1e6)
            wanted = (board.family.bitstream, *netlists(board.family))
            missing = [name for name in wanted if not (folder / name).is_file()]
            if missing or "folding" not in figures:
                raise ToolError(f"{folder} has no {', '.join(missing or ['folding'])}, like builds "
                                f"of older versions; {again}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ToolError(f"{folder} holds no build ({error!r}); {again}") from error
        return cls(folder, board, figures)

    def folding(self, spec: NetworkSpec) -> Folding:
        """The folding that was built.

        Raises
        ------
        WrongBitstreamError
            If another network was built.
        """
        if self.figures["network"] != spec.digest:
            raise WrongBitstreamError(
                f"{self.folder} was built for network {self.figures['network'][:16]}, not "
                f"{spec.name} ({spec.digest[:16]}); build it again"
            )
        return from_json(spec, self.figures["folding"])

    def verilog(self, stage: Stage) -> Hardware:
        """The design after synthesis, or after place-and-route.

        Raises
        ------
        SpikewrightError
            If it uses what cannot be simulated, or Yosys is missing.
        """
        if self.figures.get("link", "uart") != "uart":
            raise ToolError(f"{self.folder} was built for an SPI controller; netlists are spoken "
                            f"to over a serial line, build with --link uart")
        platform = self.board.make_platform()
        pins = {"clk": _pin(platform, self.board.oscillator or platform.default_clk),
                "rx": _pin(platform, "uart", "rx"), "tx": _pin(platform, "uart", "tx")}
        if self.board.family is ICE40 and stage == "placed":
            module, ratio = ice40.to_verilog(
                self.folder / self.board.family.bitstream, platform.package.lower(),
                {port: pins[port].name for port in ("clk", "rx")}, {"tx": pins["tx"].name})
            clock_hz = self.board.oscillator_hz * ratio
            if abs(clock_hz / self.board.clock_hz - 1) > 1e-6:
                raise ToolError(f"the bitstream in {self.folder} runs at {float(clock_hz) / 1e6:g} "
                                f"MHz, its build says {self.board.clock_hz / 1e6:g}; build again")
            return Hardware(module.text, "top", module.memories)
        with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
            working = Path(name)
            for packed in netlists(self.board.family):
                (working / packed.removesuffix(".gz")).write_bytes(self._unpacked(packed))
            if self.board.family is ICE40:
                text = ice40_synthesised.to_verilog(working)
            else:
                make = (ecp5_netlist.synthesised_verilog if stage == "synthesis"
                        else ecp5_netlist.placed_verilog)
                text, models = make(working)
                text += "\n".join(model.read_text(encoding="utf-8") for model in models)
        joined = ", ".join(f".\\{pin.port} ({port})" for port, pin in pins.items())
        return Hardware(f"{text}\nmodule board(input clk, input rx, output tx);\n"
                        f"  top chip({joined});\nendmodule\n", "board", {})

    def _unpacked(self, name: str) -> bytes:
        try:
            return unpacked(self.folder / name)
        except (OSError, EOFError, zlib.error) as error:
            raise ToolError(f"{self.folder / name} cannot be read ({error}); build the board "
                            f"again") from error


@dataclass(frozen=True)
class _Pin:
    """``name`` on the package, ``port`` of Amaranth's module."""

    name: str
    port: str


def _pin(platform: Any, resource: str, part: str | None = None) -> _Pin:
    found = platform.lookup(resource, 0)
    pins = next(io for io in found.ios if part is None or getattr(io, "name", None) == part)
    prefix = f"{resource}_0__"
    if part is not None:
        pins, prefix = pins.ios[0], f"{prefix}{part}__"
    # Amaranth's names of the ports that it makes of resources.
    return _Pin(pins.map_names(platform._conn_pins, found)[0], f"{prefix}io")
