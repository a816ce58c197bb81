"""What corruptions cost beside the training step that they are for: two views of 256 colour images of 32 x 32 pixels
through a residual net and a contrastive loss (Chen et al. 2020), on one thread.
"""

from collections.abc import Callable

import torch
from paired import ratios, write_table
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.models.corruptions import CorruptionChoice, one_after_another
from ae_pipelines.training.options import LoaderOptions

BATCH, SIDE, ROUNDS = 256, 32, 9
STEP = {"float32": "step, float32", "bfloat16": "step, bfloat16"}
SETS = ["photos", "objects", "glyphs"]
ALONE = ["crop", "colours", "blur", "affine"]


def main() -> None:
    torch.set_num_threads(1)
    images = torch.rand(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    steps = {label: training(images, getattr(torch, precision)) for precision, label in STEP.items()}
    choices = {f"augment: {name}": LoaderOptions(augment=name).corruptions for name in SETS}
    choices |= {kind: [CorruptionChoice(kind=kind)] for kind in ALONE}
    views = {name: two_views(images, corruptions) for name, corruptions in choices.items()}
    arms = {name: (lambda work=work: work) for name, work in (steps | views).items()}
    base = STEP["float32"]
    measured = ratios(arms, base, ROUNDS)
    seconds = {name: measured[name] * measured[f"{base} seconds"] for name in arms}
    rows = [
        [name, f"{1000 * seconds[name]:.1f}", *(f"{seconds[name] / seconds[step]:.1%}" for step in steps)]
        for name in arms
    ]
    title = f"Milliseconds of two views of {BATCH} images of {SIDE} x {SIDE} pixels in colour, 1 thread"
    write_table("augmentations", title, ["what", "ms", *(f"÷ {step}" for step in steps)], rows)


def two_views(images: Tensor, corruptions: list[CorruptionChoice]) -> Callable[[], object]:
    corrupt = one_after_another([choice.build() for choice in corruptions])
    generator = torch.Generator().manual_seed(0)

    def work() -> None:
        corrupt(images, generator)
        corrupt(images, generator)

    return work


def training(images: Tensor, dtype: torch.dtype) -> Callable[[], object]:
    """A step of Adam on two views that are there already."""
    torch.manual_seed(0)
    model = residual_net().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    views = torch.cat([images, images.flip(3)]).contiguous(memory_format=torch.channels_last)
    partner = torch.arange(2 * BATCH).roll(BATCH)

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
            projected = F.normalize(model(views).float())
        likeness = (projected @ projected.T / 0.2).fill_diagonal_(-1e9)
        optimiser.zero_grad()
        F.cross_entropy(likeness, partner).backward()
        optimiser.step()

    return step


def residual_net(width: int = 32) -> nn.Module:
    """Three stages that halve height and width, pooling, 64 latents and a projector: 0.7 million weights."""
    return nn.Sequential(
        _conv(3, width, 2, 5),
        _Residual(width),
        _conv(width, 2 * width, 2),
        _Residual(2 * width),
        _conv(2 * width, 4 * width, 2),
        _Residual(4 * width),
        _conv(4 * width, 8 * width, 1, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, 64),
        nn.Linear(64, 512),
        nn.ReLU(),
        nn.Linear(512, 256),
    )


def _conv(before: int, after: int, stride: int = 1, kernel: int = 3) -> nn.Module:
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_conv(width, width), _conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


if __name__ == "__main__":
    main()
