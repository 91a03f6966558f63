"""What a study varies: names of fields, and the values that each may take.

A name is a field of a recipe, such as ``quantisation.weight_shift``, or one of these:

==============  ==================================================================================
``recipe``      bundled recipe or .toml file that everything else starts from
``data``        ``data.source``
``surrogate``   ``surrogate.name``; its parameters are then snnTorch's, unless given too
``slope``       what :data:`~spikewright.model.surrogates.STEEPNESS` calls the surrogate's own
                parameter; ignored by surrogates that have none
``neuron``      ``net.neuron``; ``beta`` ``net.beta``; ``theta`` ``net.threshold``; ``reset``
                ``net.reset_mechanism``; ``hidden`` ``net.hidden``
``timesteps``   ``encoding.timesteps``; a ``time_window`` becomes shorter as they become more, so
                that as much of a recording is seen
``bits``        ``quantisation.bits``; ``seed`` ``training.seed``; ``epochs`` ``training.epochs``
``method``      plain, sast, sparse-gradient or conversion (:data:`METHODS`)
``board``       board whose resources and clock count; none if not given
``lanes``       and ``ways`` and ``slices``, as the options of `spikewright simulate`; without them,
                on a board, the largest that is likely to fit, otherwise a lane for each neuron
==============  ==================================================================================
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ..fields import Part

#: Short name → field of a recipe.
FIELDS = {
    "data": "data.source", "surrogate": "surrogate.name", "neuron": "net.neuron",
    "beta": "net.beta", "theta": "net.threshold", "reset": "net.reset_mechanism",
    "hidden": "net.hidden", "timesteps": "encoding.timesteps", "bits": "quantisation.bits",
    "seed": "training.seed", "epochs": "training.epochs",
}

#: Names that are no field of a recipe.
HARDWARE = ("board", "lanes", "ways", "slices")
OTHERS = ("recipe", "slope", "method", *HARDWARE)

#: What each method sets where the study does not: SAST's ρ is that of the recipe ``sast_nmnist``.
METHODS: dict[str, dict[str, Any]] = {
    "plain": {"surrogate.forward": "hard", "training.sharpness": 0.0,
              "training.gradient_band": None},
    "sast": {"surrogate.forward": "smooth", "training.sharpness": 0.15,
             "training.gradient_band": None},
    "sparse-gradient": {"surrogate.forward": "hard", "training.sharpness": 0.0,
                        "training.gradient_band": 0.5},
    "conversion": {"surrogate.forward": "hard", "training.sharpness": 0.0,
                   "training.gradient_band": None, "quantisation.method": "ptq"},
}


class Range(Part):
    """Numbers from ``low`` to ``high``, both included; whole ones if both bounds are."""

    low: int | float
    high: int | float
    #: As many between 1 and 10 as between 10 and 100.
    log: bool = False

    @model_validator(mode="after")
    def _order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high {self.high}; low must be below high")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low}; with log it must be above 0")
        return self

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


def _kind(given: Any) -> str:
    return "choices" if isinstance(given, (list, tuple)) else "range"


#: Values to choose from – a table sets several names at once – or a range.
Axis = Annotated[
    Annotated[tuple[Any, ...], Field(min_length=1), Tag("choices")]
    | Annotated[Range, Tag("range")],
    Discriminator(_kind),
]


def flat(fields: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """``{"net": {"beta": x}}`` → ``net.beta``, x: how TOML reads ``net.beta = x``."""
    for name, value in fields.items():
        if isinstance(value, dict) and value and not {"low", "high", "log"} & set(value):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def settings(point: Mapping[str, Any]) -> dict[str, Any]:
    """The names that ``point`` (axis → value) sets; a table sets those in it."""
    found: dict[str, Any] = {}
    for name, value in point.items():
        found |= dict(flat(value)) if isinstance(value, dict) else {name: value}
    return found
