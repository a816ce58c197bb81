"""From samples as a source holds them to what a model takes, and back."""

import numpy as np
import torch
from torch import Tensor, nn

from ae_pipelines.samples.spec import SampleSpec, Scaling
from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.training.trained import TrainedModel


class Scaled(nn.Module):
    """Stored values as a model gets them, as `SampleSpec.as_input`, float32."""

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self._scaling = scaling

    def forward(self, raw: Tensor) -> Tensor:
        scale, offset, clip = self._scaling
        x = raw.to(torch.float32)
        x = (x - offset if offset else x) * scale
        return x.clamp(0, 1) if clip else x


class Standardised(nn.Module):
    """Standardised values, as `Standardisation.apply` gives them."""

    def __init__(self, columns: Standardisation, axes: int) -> None:
        """`axes` of a sample; the first is that of the columns."""
        super().__init__()
        shape = (-1, *[1] * (axes - 1))
        self.mean = nn.Buffer(torch.tensor(columns.mean).reshape(shape))
        self.deviation = nn.Buffer(torch.tensor(columns.standard_deviation).reshape(shape))

    def forward(self, raw: Tensor) -> Tensor:
        return ((raw.to(torch.float64) - self.mean) / self.deviation).to(torch.float32)


class Restored(Standardised):
    """The reverse, float32."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(torch.float64) * self.deviation + self.mean).to(torch.float32)


class Seen(nn.Module):
    """As `TrainedModel.encoder_input`: only the change of shape by corruptions is applied."""

    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self._corruptions = trained.reshaping
        self._generator = torch.Generator()  # not made in forward, where an export could not follow

    def forward(self, x: Tensor) -> Tensor:
        for corruption in self._corruptions:
            x = corruption.reshaped(x, self._generator)
        return x


def input_of(spec: SampleSpec) -> nn.Module:
    """From raw samples (batch, *shape), of the dtype of `spec`, to a model's input."""
    columns = Standardisation.recorded(spec.preprocessing)
    return Scaled(spec.scaling) if columns is None else Standardised(columns, len(spec.shape))


def output_of(spec: SampleSpec) -> nn.Module:
    """From what a decoder gives to the units of raw samples; images stay in [0, 1]."""
    columns = Standardisation.recorded(spec.preprocessing)
    return nn.Identity() if columns is None else Restored(columns, len(spec.shape))


def raw_of(stored: np.ndarray, spec: SampleSpec) -> np.ndarray:
    """Raw samples, of the dtype of `spec`, from those of a store."""
    columns = Standardisation.recorded(spec.preprocessing)
    if columns is None:
        return stored
    return Restored(columns, len(spec.shape))(torch.from_numpy(stored)).numpy()
