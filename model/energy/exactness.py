"""How much the twins of a real net are one function: measured, never assumed."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...gen.errors import SpecError
from ...gen.spec import Layer, NetworkSpec, Reset
from ...gen.stimulus import Stimulus
from ..conversion.twins import LayerDeviation, compare, qnn_twin, snn_twin

#: Accuracies that differ by more are worth a warning.
_UNEQUAL = 0.01


@dataclass(frozen=True)
class Exactness:
    """An SNN beside its QNN twin, and the QNN beside the neurons without leak made of it.

    Attributes
    ----------
    leaks
        Layers that leak, or reset otherwise than by subtraction; Lemma 2 says nothing of them.
    layers
        Deviations, layer by layer.
    agreement
        Share of equal predictions.
    back_accuracy, back_agreement
        Of QNN → SNN: accuracy (None without labels), and how often it predicts what the QNN does;
        None where the contract cannot hold it, which ``back_refused`` explains.
    """

    leaks: tuple[str, ...]
    layers: tuple[LayerDeviation, ...]
    agreement: float
    snn_accuracy: float | None
    qnn_accuracy: float | None
    back_accuracy: float | None
    back_agreement: float | None
    back_refused: str | None

    @property
    def violations(self) -> int:
        """Neurons that Lemma 2 speaks for and that differ all the same."""
        return sum(layer.violations for layer in self.layers)

    @property
    def exact(self) -> bool:
        """Whether every neuron that spikes counts, on every sample, what the twin computes."""
        return all(layer.equal_through == 1 for layer in self.layers)

    def sentence(self) -> str:
        """What was found, in words."""
        lost = ""
        if self.snn_accuracy is not None and self.qnn_accuracy is not None:
            lost = f" Accuracy is {self.snn_accuracy:.2%} and {self.qnn_accuracy:.2%}."
            if abs(self.snn_accuracy - self.qnn_accuracy) > _UNEQUAL:
                lost += " So their energies compare nets that are not equally good."
        if self.exact:
            return f"On these samples the twins are one function.{lost}"
        why = (f"{', '.join(self.leaks)} leak or reset otherwise than by subtraction" if self.leaks
               else "sums leave the range from 0 to the threshold")
        return (f"The twins are not equivalent ({why}): they predict the same for "
                f"{self.agreement:.1%} of the samples.{lost}")

    def figures(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"sentence": self.sentence(), **asdict(self), "leaks": list(self.leaks),
                "layers": [asdict(layer) for layer in self.layers],
                "violations": self.violations, "exact": self.exact}


def measure(spec: NetworkSpec, stimulus: Stimulus) -> Exactness:
    """Both ways, on ``stimulus``.

    Raises
    ------
    SpecError
        If the network has no twin: it recurs, or its first spike decides.
    """
    labelled = bool(len(stimulus)) and bool((stimulus.labels >= 0).all())
    labels = stimulus.labels if labelled else None
    beside = compare(spec, stimulus.spikes, labels)
    accuracy = agreement = refused = None
    try:
        back = snn_twin(qnn_twin(spec, spec.steps(stimulus.spikes)))
    except SpecError as error:
        refused = str(error)
    else:
        # The twin of the net made of the twin is that twin, so this compares with the same QNN.
        again = compare(back, stimulus.spikes, labels)
        accuracy, agreement = again.snn_accuracy, again.agreement
    return Exactness(
        leaks=tuple(layer.name for layer in spec.layers if _leaks(layer)),
        layers=beside.layers, agreement=beside.agreement, snn_accuracy=beside.snn_accuracy,
        qnn_accuracy=beside.qnn_accuracy, back_accuracy=accuracy, back_agreement=agreement,
        back_refused=refused,
    )


def _leaks(layer: Layer) -> bool:
    neuron = layer.neuron
    if neuron.threshold is None:
        return bool(np.any(neuron.decay))  # membranes that are kept count early input more often
    whole = 1 << neuron.decay_fraction
    return (bool(np.any(np.asarray(neuron.decay) != whole)) or neuron.reset is not Reset.SUBTRACT
            or neuron.synapse_decay is not None)
