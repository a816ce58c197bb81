"""Streaming export of a sample store to `latents.parquet`, against the encoder alone.

`encode` is the encoder over the same rows, already in memory, uint8 to latents; `export` writes the latents.
The file that pipelines write also holds reconstruction errors, which need the decoder: `with errors` is that
export, and `encode + decode` the work that it cannot avoid.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from paired import MnistLike, ratios, write_table

from ae_pipelines.latents.stream import write_latents
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.store import Samples
from ae_pipelines.training import embedding
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

NETS = {
    "dense 784-512-128-32": {"kind": "dense", "widths": [512, 128]},
    "conv 32-64-latent 32": {"kind": "conv", "channels": [32, 64]},
}
MOST = 1.2


def arms(model: TrainedModel, samples: Samples, folder: Path) -> dict:
    values = torch.from_numpy(samples.read())

    @torch.inference_mode()
    def passes(decode: bool) -> None:
        for part in values.split(embedding.ROWS_PER_PASS):
            z = model.module.encode(part.to(torch.float32).mul_(samples.spec.scale))
            if decode:
                model.module.decode(z)

    def exporting(errors: bool) -> None:
        write_latents(folder / "latents.parquet", embedding.latent_stream(model, samples, errors=errors))

    return {
        "encode": lambda: lambda: passes(False),
        "encode + decode": lambda: lambda: passes(True),
        "export": lambda: lambda: exporting(False),
        "export with errors": lambda: lambda: exporting(True),
    }


def main(rounds: int) -> bool:
    rows, kept = [], True
    source = MnistLike()
    with tempfile.TemporaryDirectory() as temporary:
        samples = write_store(Path(temporary) / "samples", source)
        for name, net in NETS.items():
            recipe = Recipe.model_validate({"model": {"kind": "autoencoder", "net": net}})
            task = recipe.task(samples)
            model = TrainedModel.of(recipe.model.build(task), recipe, task, samples)
            found = ratios(arms(model, samples, Path(temporary)), "encode", rounds)
            with_errors = found["export with errors"] / found["encode + decode"]
            kept &= found["export"] <= MOST
            rate = len(samples) / found["encode seconds"]
            cells = [f"{found['export']:.2f} (≤ {MOST})", f"{with_errors:.2f}"]
            rows.append([name, f"{rate:,.0f} rows/s", *cells, f"{found['export with errors']:.2f}"])
    header = [
        "net",
        "encode",
        "export ÷ encode",
        "with errors ÷ (encode + decode)",
        "with errors ÷ encode",
    ]
    title = f"Export, {source.data}, {torch.get_num_threads()} threads, medians of {rounds} paired rounds"
    write_table("export_speed", title, header, rows)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    raise SystemExit(not main(parser.parse_args().rounds))
