"""Any architecture of timm, with weights from a file."""

from torch import nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.architectures import ARCHITECTURES, Architecture, package


@ARCHITECTURES.register("timm")
class Timm(Architecture):
    """One of the nets of PyTorch Image Models (Wightman 2019) by its name there, such as resnet18. Nothing is
    downloaded: weights come from a file, which has the names that timm gives them."""

    def __init__(self, *, name: str) -> None:
        """`name`: as timm.list_models() lists it."""
        self._name, self._timm = name, package("timm", "timm")
        if not self._timm.is_model(name):
            raise InputError(f"timm has no architecture called {name!r}: timm.list_models() lists those that it has")
        about = self._timm.get_pretrained_cfg(name) or self._timm.models.PretrainedCfg()
        self.mean, self.deviation = about.mean, about.std
        heads = [about.classifier] if isinstance(about.classifier, str) else about.classifier or ()
        self.without = tuple(f"{head}." for head in heads)

    def layers(self, size: int) -> nn.Module:
        try:
            return self._net(img_size=size)
        except TypeError:  # only those that are made for images of one size take it
            return self._net()

    def _net(self, **options: int) -> nn.Module:
        net: nn.Module = self._timm.create_model(self._name, pretrained=False, num_classes=0, **options)
        return net
