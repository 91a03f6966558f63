"""What training pays for beside mistakes, as a recipe says it."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..fields import Part

_Weight = Annotated[float, Field(ge=0)]


def _listed(numbers: Any) -> Any:
    """A number, or numbers one per layer, as `--lanes` takes them."""
    if isinstance(numbers, (list, tuple)):
        return ",".join(map(str, numbers))
    return str(numbers) if isinstance(numbers, int) else numbers


class Hardware(Part):
    """The shape of the hardware whose cycles are paid for, as options of the same names say it:
    one number for all layers, or one per layer, as in "64,10" or [64, 10]."""

    lanes: Annotated[str | None, BeforeValidator(_listed)] = None
    ways: Annotated[str | None, BeforeValidator(_listed)] = None


class Penalty(Part):
    """Terms added to the loss; see :mod:`spikewright.model.training.penalties`.

    Those of hidden layers are one number for all of them, or one for each.
    """

    #: Of each spike that a hidden layer fires for a sample, on average.
    spikes: _Weight | tuple[_Weight, ...] = 0.0
    #: Most spikes that a hidden neuron should fire per timestep, on average over samples.
    rate: Annotated[float, Field(ge=0, le=1)] | tuple[
        Annotated[float, Field(ge=0, le=1)], ...] = 1.0
    #: Of firing more often than that.
    excess: _Weight | tuple[_Weight, ...] = 0.0
    #: Of each cycle that an inference takes, on average, on this ``hardware``.
    cycles: _Weight = 0.0
    hardware: Hardware = Hardware()
