"""Images cleaned up at any size, by undoing what a corruption did."""

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.method import Method
from ae_pipelines.models.nets.resampling import without_learning
from ae_pipelines.models.nets.unet import UNet
from ae_pipelines.samples.spec import VISIBLE

PLACES_WEIGHT = 0.01
"""Weight of the cross-entropy of places (nats) beside the squared error, which for marks and holes is as small."""


@MODELS.register("restorer")
class Restorer(Method):
    """Learns, by squared error, what to add to the input itself, which is enlarged (bicubic) where a corruption made it
    smaller and repeated in each channel where one removed the colours (residual learning: Zhang et al. 2017, DnCNN; Kim
    et al. 2016, VDSR).

    Unlike an autoencoder it has no latent that everything must pass through: fine details stay, and there is nothing
    to embed.
    """

    undoes_corruptions = True

    def __init__(
        self,
        task: Task,
        *,
        width: Annotated[int, Field(gt=0)] = 32,
        blocks: Annotated[int, Field(gt=0)] = 3,
        halvings: Annotated[int, Field(gt=0, le=6)] = 1,
        local: bool = False,
        certainty: Annotated[float, Field(ge=0, lt=1)] = 0.5,
    ) -> None:
        """`width`, `blocks`, `halvings`: options of the `UNet`; one halving is enough for noise and enlargement, while
        marks, holes and colours need two or three. `local`: only some pixels were changed (marks, holes); the net then
        learns which, too, and leaves a pixel exactly as it is if the probability of a change is below `certainty`: a
        high one spares what only looks like a mark, and leaves more of the mark."""
        super().__init__()
        self._local, self._certainty, self._channels = local, certainty, task.samples.shape[0]
        self._enlarge = _enlargement(task)
        if local and self._enlarge != 1:
            raise InputError(
                "restorer: local is for marks and holes in images, but here the whole image is to be enlarged: leave "
                "model.local out"
            )
        self.net = UNet(
            task.input_shape[0],
            self._channels + local,
            enlarge=self._enlarge,
            width=width,
            blocks=blocks,
            halvings=halvings,
        )

    def restore(self, x: Tensor) -> Tensor:
        """Clean images (batch, channels, height, width), in [0, 1], for corrupted ones of any height and width."""
        change, places = self._change(x)
        if places is not None:
            change = change * (places.sigmoid() >= self._certainty)
        return (self.unchanged(x) + change).clamp(0, 1)

    def unchanged(self, x: Tensor) -> Tensor:
        """x in the shape of clean images, without learning."""
        return without_learning(x, (self._channels, *(self._enlarge * side for side in x.shape[2:])))

    def phases(self) -> list[Phase]:
        return [Phase("fit", [Player("restorer", list(self.parameters()), self.terms)])]

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error, averaged over values and batch; for a local one also the cross-entropy (nats, times
        PLACES_WEIGHT) of where an image was changed."""
        change, places = self._change(batch.input)
        unchanged = self.unchanged(batch.input)
        terms = {"reconstruction": F.mse_loss(unchanged + change, batch.target)}
        if places is not None:
            changed = ((unchanged - batch.target).abs() > VISIBLE).any(dim=1, keepdim=True).to(places.dtype)
            terms["places"] = PLACES_WEIGHT * F.binary_cross_entropy_with_logits(places, changed)
        return terms

    def _change(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is added to the unchanged images, and the logit of each pixel being a changed one."""
        raw = self.net(x)
        if not self._local:
            return raw, None
        change, places = raw.split([self._channels, 1], dim=1)
        return change * places.sigmoid(), places


def _enlargement(task: Task) -> int:
    """How many times higher and wider clean images are; `InputError` for what is not an image or cannot be restored."""
    clean, corrupted = task.samples.shape, task.input_shape
    if not task.samples.bounded or len(clean) != 3 or len(corrupted) != 3:
        raise InputError(
            f"restorer takes images (uint8, channels, height, width), given {task.samples.dtype} samples of shape "
            f"{clean}: choose another method, such as autoencoder"
        )
    if corrupted[0] not in (1, clean[0]):
        raise InputError(
            f"restorer makes images of {clean[0]} channels from ones with as many, or one, given {corrupted[0]}: "
            "choose other corruptions"
        )
    return task.enlargement
