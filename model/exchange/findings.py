"""What became of each part of a net that came from elsewhere, for people and for programs."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["exact", "changed", "refused"]


@dataclass(frozen=True)
class Finding:
    """A ``part`` of a net, what it ``becomes``, and ``why`` where there is more to say.

    ``changed``: it maps, but differs from what another tool may do with it.
    """

    part: str
    kind: str
    becomes: str
    status: Status
    why: str = ""


@dataclass
class Findings:
    """All findings, in order."""

    rows: list[Finding] = field(default_factory=list)

    def add(self, part: str, kind: str, becomes: str, *said: str, status: Status | None = None
            ) -> None:
        """A part that maps; with something ``said`` about it, it is ``changed``."""
        self.rows.append(Finding(part, kind, becomes, status or ("changed" if said else "exact"),
                                 "; ".join(said)))

    def refuse(self, part: str, kind: str, why: str) -> None:
        """A part that does not map."""
        self.rows.append(Finding(part, kind, "–", "refused", why))

    @property
    def maps(self) -> bool:
        """Whether nothing was refused."""
        return not any(row.status == "refused" for row in self.rows)

    def json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"maps": self.maps, "parts": [asdict(row) for row in self.rows]}
