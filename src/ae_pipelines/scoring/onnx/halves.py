"""The encoder and the decoder with everything that comes before and after them."""

from torch import Tensor, nn

from ae_pipelines.scoring.onnx.preprocessing import Seen, input_of, output_of
from ae_pipelines.training.trained import TrainedModel


class EncoderModule(nn.Module):
    """Raw samples (batch, *shape) → latents (batch, d) and, where the latent is a feature map, the map."""

    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self._input, self._seen = input_of(trained.contract.samples), Seen(trained)
        self._model = trained.module
        self.gives = ("latent", "latent_map") if len(trained.contract.latent_shape) > 1 else ("latent",)

    def forward(self, raw: Tensor) -> tuple[Tensor, ...]:
        z = self._model.encode(self._seen(self._input(raw)))
        return (self._model.vectors(z), z)[: len(self.gives)]


class DecoderModule(nn.Module):
    """Latents (batch, *latent_shape), for a conditional method with class numbers (batch,) int64, -1 where unknown →
    samples (batch, *shape), float32: images in [0, 1], others in the units of raw samples."""

    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self._model, self._output = trained.module, output_of(trained.contract.samples)
        latent = "latent_map" if len(trained.contract.latent_shape) > 1 else "latent"
        self.takes = (latent, "label") if trained.module.conditional else (latent,)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        told = () if label is None else (label,)
        return self._output(self._model.decode(latent, *told))
