"""An encoder that was trained elsewhere, with labels."""

from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.progress import Steps
from ae_pipelines.models import MODELS, Phase, Player, elsewhere
from ae_pipelines.models.agreements import AgreementChoice
from ae_pipelines.models.architectures import Architecture, ArchitectureChoice, Colour, Packaged
from ae_pipelines.models.batch import Batch, Loader, clean, first_batches
from ae_pipelines.models.contract import Elsewhere, Task
from ae_pipelines.models.directions import AlongDirections, Features
from ae_pipelines.models.method import Method
from ae_pipelines.models.moments import Moments
from ae_pipelines.models.projector import WIDTHS, perceptron
from ae_pipelines.models.two_views import refuse_single

SAMPLES = 10_000
"""Train samples from which the directions are learned, at most."""
PIXELS_AT_ONCE = 64 * 112**2
"""Of a pass through the layers, which take some 300 bytes a pixel."""

Size = Annotated[int, Field(ge=8, le=1024)]


@MODELS.register("pretrained")
class Pretrained(Method):
    """Features of a net that somebody has trained on other images and their labels, reduced to their principal
    components: latents that are worth a lot before anything was learned here.

    Frozen, it learns nothing but these components. With `fine_tune` the net goes on learning first, from two views of
    each sample and no labels, by a loss of the method `views`.
    """

    starts_elsewhere = True

    def __init__(
        self,
        task: Task,
        *,
        architecture: ArchitectureChoice = ArchitectureChoice(kind="efficientnet_lite0"),  # noqa: B008
        weights: Path | None = None,
        size: Size = 112,
        latent_size: Annotated[int, Field(gt=0)] = 64,
        fine_tune: AgreementChoice | None = None,
    ) -> None:
        """`weights`: a file of the architecture's weights (safetensors, or torch's own, read with weights_only); None:
        those of its package. `size`: height and width that images are brought to; time grows with its square.
        `fine_tune`: the loss; None: frozen."""
        super().__init__()
        self._choice, self._weights, self._shape = architecture, weights, task.input_shape
        built: Architecture = architecture.build()
        features = ArchitectureFeatures(task.input_shape, built, size)
        if latent_size > features.size:
            raise InputError(
                f"{architecture.kind} has {features.size} features, fewer than model.latent_size, {latent_size}: give "
                "fewer latents"
            )
        self.latent_size = latent_size
        self.encoder = AlongDirections(features, latent_size)
        self.deviation, self.unexplained = nn.Buffer(torch.ones(features.size)), nn.Buffer(torch.ones(()))
        self.wants_second_view = self.takes_corruptions = fine_tune is not None
        if fine_tune is None:
            self.freeze_encoder()
            return
        self._loss, self._agreement = fine_tune.kind, fine_tune.build()
        self.projector = perceptron(features.size, WIDTHS)
        if self._agreement.predictor_width is not None:
            raise InputError(f"pretrained has no teacher, which {fine_tune.kind} needs: give fine_tune another loss")

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    @classmethod
    def check_elsewhere(cls, options: dict[str, Any]) -> None:
        architecture: Architecture = options["architecture"].build()
        _start(architecture.layers(options["size"]), options["architecture"], options["weights"])

    def start(self) -> None:
        self.elsewhere = _start(self.encoder.get_submodule("features.layers"), self._choice, self._weights)

    def phases(self) -> list[Phase]:
        if not self.takes_corruptions:
            return []
        moved = [*self.encoder.parameters(), *self.projector.parameters()]
        return [Phase("fine_tune", [Player("views", moved, self._terms)], judged=self._agreement.judged)]

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        refuse_single(self, batch, "pretrained with fine_tune")
        views = batch.views
        features = self.encoder.features(views) if self.training else self.encoder.in_slices(views)
        one, other = self.projector(features).chunk(2)
        with torch.autocast(views.device.type, enabled=False):
            return {self._loss: self._agreement(one.float(), other.float())}

    def complete(self, train: Loader) -> None:
        most = min(SAMPLES, len(train) * train.batch_size)
        total = Moments(self.encoder.features.size)
        with Steps(most, "features", "sample") as steps:
            for batch in first_batches(train, most):
                total.add(self.encoder.in_slices(clean(batch, self._shape)))
                steps.advance(len(batch.rows))
        self._reduce(total)

    def _reduce(self, total: Moments) -> None:
        """Keep the principal components of features of which each is divided by its deviation."""
        deviation = total.covariance.diagonal().clamp_min(1e-12).sqrt()
        variances, directions = torch.linalg.eigh(total.covariance / torch.outer(deviation, deviation))
        self.deviation.copy_(deviation)
        self.unexplained.fill_(1 - float(variances[-self.latent_size :].sum() / variances.sum()))
        self.encoder.learn(total, directions[:, -self.latent_size :].flip(1) / deviation[:, None])

    def learned(self) -> list[dict[str, float]]:
        """The share of the features' variance that the latents do not keep."""
        return [{"pretrained/unexplained": float(self.unexplained)}]

    def measures(self, test: Loader) -> dict[str, float]:
        """The same of some test samples."""
        moved = self.encoder.in_slices(clean(next(iter(test.epoch(0))), self._shape)) - self.encoder.mean
        scale = (self.encoder.directions[:, 0] * self.deviation).norm()  # of latents, which directions are stretched by
        kept = (moved @ self.encoder.directions / scale).square().sum() / (moved / self.deviation).square().sum()
        return {"test/pretrained/unexplained": 1 - float(kept)}


class ArchitectureFeatures(Features):
    """Of images (batch, 1 or 3, height, width) in [0, 1], by the layers of an architecture."""

    def __init__(self, shape: tuple[int, ...], architecture: Architecture, size: int) -> None:
        super().__init__()
        self.given = Given(shape, architecture.mean, architecture.deviation, size)
        self.layers = architecture.layers(size)
        self.samples_at_once = max(1, PIXELS_AT_ONCE // size**2)
        with torch.no_grad():
            self.size = self.layers.eval()(torch.zeros(1, 3, size, size)).shape[1]
        self.layers.train()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.given(x).contiguous(memory_format=torch.channels_last))


class Given(nn.Module):
    """Images of one shape, grey or in colour, as an architecture takes them: (batch, 3, size, size), bicubic.

    Resizing is linear, so it is a matrix for rows and one for columns, which any program that reads ONNX can multiply;
    it is what Pillow does, which averages where images become smaller.
    """

    def __init__(self, shape: tuple[int, ...], mean: Colour, deviation: Colour, size: int) -> None:
        super().__init__()
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise InputError(
                f"pretrained takes images, grey or in colour, given samples of shape {shape}: choose another method, "
                "such as autoencoder"
            )
        self.rows = nn.Buffer(_bicubic(shape[1], size))
        self.columns = nn.Buffer(_bicubic(shape[2], size))
        self.mean = nn.Buffer(torch.tensor(mean).view(3, 1, 1))
        self.deviation = nn.Buffer(torch.tensor(deviation).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        resized = (self.rows @ x @ self.columns.T).clamp(0, 1)
        return (resized - self.mean) / self.deviation  # one channel becomes three


def _bicubic(length: int, size: int) -> Tensor:
    """The matrix (size, length) that resizes a column of pixels."""
    each = torch.eye(length)[None, None]
    return F.interpolate(each, (size, length), mode="bicubic", antialias=True)[0, 0]


def _start(layers: nn.Module, choice: ArchitectureChoice, weights: Path | None) -> Elsewhere:
    """Give layers their weights, and say where these come from."""
    architecture: Architecture = choice.build()
    found = architecture.packaged() if weights is None else Packaged(weights, str(weights), None)
    if found is None:
        raise InputError(
            f"model.weights: no package has weights for {choice.kind}, and nothing is downloaded here: give the path "
            "of a file (.safetensors, .pth)"
        )
    elsewhere.give(layers, elsewhere.read(found.path), architecture.without, found.path, choice.kind)
    return Elsewhere(source=found.source, sha256=elsewhere.sha256(found.path), taught_by=found.taught_by)
