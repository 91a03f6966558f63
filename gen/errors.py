"""Errors a user can cause. Each message says what was given, what is allowed and what to do.

The command line prints them as one line and exits with 2; nothing else of ours is shown without
a traceback, so a bug stays visible as a bug.
"""


class SpikewrightError(Exception):
    """Base of every error that a user's input can cause."""


#: What reading raises where a file has another structure, type or number than was asked for.
MALFORMED = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError,
    ValueError,
)


class SpecError(SpikewrightError, ValueError):
    """A network that the contract cannot represent: wrong shape, range, sign or version."""


class UnsupportedModuleError(SpikewrightError):
    """A torch module that has no exact counterpart in the contract."""


class DataError(SpikewrightError):
    """Data that is missing, malformed, or of another shape than the network's input."""


class RunFolderError(SpikewrightError):
    """A run folder that is missing, incomplete, or was changed after it was written."""


class RecipeError(SpikewrightError, ValueError):
    """A training recipe with an unknown field or a value out of range."""


class FoldingError(SpikewrightError, ValueError):
    """A folding that does not belong to the network."""


class ShapeError(SpikewrightError, ValueError):
    """A network that is no training of the shape that hardware was built for."""


class ToolError(SpikewrightError):
    """An external tool that is missing, too old, or failed."""


class DoesNotFitError(SpikewrightError):
    """A design that is larger than the board's part."""


class WedgedError(SpikewrightError):
    """Hardware that has come to a standstill."""


class FaultError(SpikewrightError, ValueError):
    """Flips of bits that a design does not have."""


def one_line(said: object, most: int = 200) -> str:
    """What ``said`` says, or its type if that is nothing, on one line of at most so many
    characters."""
    line = " ".join(str(said).split()) or type(said).__name__
    return line if len(line) <= most else f"{line[: most - 1]}…"
