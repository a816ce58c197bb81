"""An epoch of the same net by ours, pythae, Lightning and a tutorial's loop: what `peers.py` takes turns with.

pythae trains with its `BaseTrainer`, validation and checkpoints left out, on samples that it holds in memory; Lightning
and the tutorial read one sample at a time through a DataLoader. Ours is `ae_pipelines.training.loop.fit`.
"""

import tempfile
from collections.abc import Callable

import torch
from paired import Arm, mnist_like
from torch import Tensor, nn
from torch.utils.data import DataLoader
from training_speed import CONV, MODELS, SPEC, Images

from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.method import Method
from ae_pipelines.training import devices
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.loop import fit
from ae_pipelines.training.options import TrainOptions

OURS = {"ours": "float32", "ours, bfloat16": "bfloat16", "ours, malloc as it is": "float32"}
PEERS = {"pythae": "pythae", "Lightning": "lightning", "tutorial": None}
"""What each needs beside us."""
ARMS = {**dict.fromkeys(OURS), **PEERS}
LONGER = 4
"""Times the steps of a turn in `training_speed`: the end of an epoch takes as long as a step or two, and real ones have
hundreds."""
TRAININGS = {
    # name: model, batch size, steps in a turn
    **{
        name: ({"kind": "autoencoder", "net": net, "latent_size": latent_size}, batch_size, LONGER * steps)
        for name, (net, latent_size, batch_size, steps, _) in MODELS.items()
    },
    "d conv VAE 32-64-latent 32": ({"kind": "vae", "net": CONV}, 128, LONGER * 16),
}


def arm(name: str, who: str, share: float) -> Arm:
    """Turns of an epoch of `who`, for the training called `name`, with this share of its steps."""
    options, batch_size, steps = TRAININGS[name]
    torch.set_flush_denormal(True)  # as in training_speed
    torch.manual_seed(0)
    values = mnist_like()[0][: batch_size * max(2, round(steps * share))]
    model = ModelChoice.model_validate(options).build(Task.plain(SPEC))
    if who in OURS:
        return _ours(model, torch.from_numpy(values), batch_size, who)
    if who == "pythae":
        return pythae(model, torch.from_numpy(values), batch_size)
    loader = DataLoader(Images(values), batch_size, shuffle=True)
    return _lightning(model, loader) if who == "Lightning" else _tutorial(model, loader)


def loss(model: Method, x: Tensor) -> Tensor:
    """As tutorials write it: a mean squared error, or torch's own VAE example."""
    raw = model.encoder(x)
    if not _is_vae(model):
        return nn.functional.mse_loss(model.decoder(raw).sigmoid(), x)
    mean, log_var = raw.chunk(2, dim=1)
    raw = model.decoder(mean + (0.5 * log_var).exp() * torch.randn_like(mean))
    likelihood = nn.functional.binary_cross_entropy_with_logits(raw, x, reduction="sum")
    return (likelihood - 0.5 * (1 + log_var - mean.square() - log_var.exp()).sum()) / len(x)


def _ours(model: Method, x: Tensor, batch_size: int, who: str) -> Arm:
    if who == "ours, malloc as it is":
        devices.MALLOC.clear()
    options = TrainOptions(epochs=1, precision=OURS[who], threads=torch.get_num_threads(), device="cpu")
    loader = Batches(x, Finish(scale=SPEC.scale), batch_size=batch_size)
    return lambda: lambda: fit(model, loader, None, options)


def _tutorial(model: Method, loader: DataLoader) -> Arm:
    optimiser = torch.optim.Adam(model.parameters())

    def epoch() -> None:
        for x, _ in loader:
            optimiser.zero_grad()
            loss(model, x).backward()
            optimiser.step()

    return lambda: epoch


def _lightning(model: Method, loader: DataLoader) -> Arm:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
            return loss(self.model, batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary", "barebones"), False
    )

    def turn() -> Callable[[], object]:
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", **quiet)
        return lambda: trainer.fit(Module(), loader)

    return turn


def pythae(model: Method, x: Tensor, batch_size: int) -> Arm:
    from pythae import models
    from pythae.data.datasets import BaseDataset
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            BaseEncoder.__init__(self)
            self.net = model.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            if not _is_vae(model):
                return ModelOutput(embedding=self.net(x))
            mean, log_var = self.net(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            BaseDecoder.__init__(self)
            self.net = nn.Sequential(model.decoder, nn.Sigmoid())

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.net(z))

    sizes = {"input_dim": tuple(x.shape[1:]), "latent_dim": model.latent_size}
    if _is_vae(model):
        made = models.VAE(models.VAEConfig(**sizes, reconstruction_loss="bce"), Encoder(), Decoder())
    else:
        made = models.AE(models.AEConfig(**sizes), Encoder(), Decoder())
    options = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(), num_epochs=1, per_device_train_batch_size=batch_size, learning_rate=1e-3
    )
    trainer = BaseTrainer(made, BaseDataset(x.float() / 255, torch.zeros(len(x))), training_config=options)
    trainer.prepare_training()
    return lambda: lambda: trainer.train_step(1)


def _is_vae(model: Method) -> bool:
    return type(model).__name__ == "VAE"
