"""How weights are found, as a recipe says it."""

from typing import Literal

from pydantic import Field

from ..data.augmentation import Augmentation
from ..fields import Part
from .penalty import Penalty


class Training(Part):
    """How weights are found: AdamW, the learning rate falling to zero along half a cosine."""

    epochs: int = Field(default=30, ge=1, le=100_000)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    #: Share of spikes dropped in front of each layer after the first.
    dropout: float = Field(default=0.0, ge=0, lt=1)
    #: Share of input spikes dropped.
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    augmentation: Augmentation = Augmentation()
    #: By the name of the class in :mod:`snntorch.functional`. The temporal one teaches the right
    #: class to fire first.
    loss: Literal["ce_count_loss", "ce_rate_loss", "mse_count_loss", "ce_temporal_loss"] = (
        "ce_count_loss"
    )
    #: Share of timesteps in which the right and the wrong classes ought to fire (mse_count_loss).
    correct_rate: float = Field(default=0.8, ge=0, le=1)
    incorrect_rate: float = Field(default=0.1, ge=0, le=1)
    #: Timesteps that are merged into one while floats are trained, inputs summed, as many times
    #: faster; the weights then serve every single timestep, and qat trains on with these.
    merge: int = Field(default=1, ge=1)
    #: What is paid for beside mistakes.
    penalty: Penalty = Penalty()
    #: ρ of sharpness-aware minimisation, :mod:`.sharpness`; 0 is off. With smooth spikes
    #: (surrogate.forward) this is SAST. A step costs two.
    sharpness: float = Field(default=0.0, ge=0)
    #: ε of sparse gradients, :mod:`.sparse_gradient`: they pass only neurons with |U − θ| ≤ ε, and
    #: the work of the others is skipped. None: all.
    gradient_band: float | None = Field(default=None, gt=0)
    #: λ of gradient sparsity, :mod:`.gradient_sparsity`; 0 is off. A step costs
    #: about three. Of nets of floats: training in integers goes on without.
    gradient_sparsity: float = Field(default=0.0, ge=0)
    #: Factor on PyTorch's initial weights, so that sparse input makes a new net fire.
    gain: float = Field(default=1.0, gt=0)
    #: "auto" is a GPU where PyTorch has one; runs repeat bit for bit on "cpu".
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**63)
