"""All that is computed for a sample, from its raw values, in one module."""

from torch import Tensor, nn

from ae_pipelines.downstream.classification import Classifier
from ae_pipelines.downstream.clustering import Groups
from ae_pipelines.downstream.detection import AnomalyModel
from ae_pipelines.scoring.onnx.classifiers import ClassifierModule
from ae_pipelines.scoring.onnx.clusterers import ClustererModule
from ae_pipelines.scoring.onnx.detectors import DetectorModule
from ae_pipelines.scoring.onnx.preprocessing import Seen, input_of
from ae_pipelines.training.embedding import blurred_error, mean_square
from ae_pipelines.training.trained import TrainedModel

GIVES = (
    *("latent", "cluster", "distance", "class_number", "probability"),
    *("reconstruction_error", "anomaly_score", "anomaly"),
)
"""What a scorer gives, in order; without a decoder there is no reconstruction error, without a classifier no class."""
OF_CLASSES = ("class_number", "probability")


class ScorerModule(nn.Module):
    """Raw samples (batch, *shape) → what `GIVES` names, each (batch,) but the latent (batch, d)."""

    def __init__(
        self, trained: TrainedModel, groups: Groups, classifier: Classifier | None, anomaly_model: AnomalyModel
    ) -> None:
        """`NoModuleError` if a part of the models on the latents has no module."""
        super().__init__()
        self._input, self._seen, self._model = input_of(trained.contract.samples), Seen(trained), trained.module
        self._clusterer = ClustererModule(groups)
        self._classifier = None if classifier is None else ClassifierModule(classifier)
        self._detector = DetectorModule(anomaly_model)
        self._decodes = hasattr(trained.module, "decode")
        absent = (*(() if self._decodes else ("reconstruction_error",)), *(OF_CLASSES if classifier is None else ()))
        self.gives = tuple(name for name in GIVES if name not in absent)

    def forward(self, raw: Tensor) -> tuple[Tensor, ...]:
        x = self._input(raw)
        z = self._model.encode(self._seen(x))
        latent, errors = self._model.vectors(z), self._errors(x, z)
        said = {"latent": latent, **errors}
        said["cluster"], said["distance"] = self._clusterer(latent)
        if self._classifier is not None:
            said["class_number"], said["probability"] = self._classifier(latent)
        said["anomaly_score"], said["anomaly"] = self._detector(latent, errors)
        return tuple(said[name] for name in self.gives)

    def _errors(self, x: Tensor, z: Tensor) -> dict[str, Tensor]:
        """The columns of the latents file."""
        if not self._decodes:
            return {}
        residual = self._model.decode(z) - x
        errors = {"reconstruction_error": mean_square(residual)}
        return errors | ({"blurred_error": blurred_error(residual, x)} if x.ndim == 4 else {})
