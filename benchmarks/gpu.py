"""Is a GPU used as one should? Training against a recorded step, export, k-means, memory, exact resume, and the tests.

    AE_TEST_DATA=<folder> python benchmarks/gpu.py      # at most ten minutes on a GPU; writes results/gpu.md
    python benchmarks/gpu.py --dry                      # the same with a few samples on a CPU, which measures nothing

FLOOR is a step on one fixed batch that is on the device already, recorded as a CUDA graph and repeated: gradients and
fused Adam in the same precision, without gather, corruption, schedule, sums or checks. Ours is `fit` as pipelines call
it; its seconds are those of its epochs after the first, which has the recording in it. pythae and Lightning train the
same net as their users have it, and are left out where they are not installed. No network; without `AE_TEST_DATA`
images are enlarged digits.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from paired import mnist_like, write_table
from peers_training import pythae
from training_speed import CONV_METHODS, MODELS, SPEC

from ae_pipelines.base.run import Run
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.models import ModelChoice, moving, patch_features
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import CorruptionChoice, one_after_another
from ae_pipelines.models.corruptions.augmentations import augmentation
from ae_pipelines.models.method import Method
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.source import Block
from ae_pipelines.training import embedding, fastest
from ae_pipelines.training.adam import adam_for
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.graphs import WARM_UP, CudaGraphs, GraphedStep, step_for
from ae_pipelines.training.loop import fit
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.precision import computing, products, settled
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

CONV = {"kind": "conv", "channels": [32, 64]}
CASES: dict[str, tuple[dict, list[dict], int]] = {
    # name: model, corruptions, batch size
    **{
        name: ({"kind": "autoencoder", "net": net, "latent_size": size}, [], batch)
        for name, (net, size, batch, *_) in MODELS.items()
    },
    **{name: (model, corruptions, 128) for name, (model, corruptions) in CONV_METHODS.items()},
    "g views, conv 32-64, SimCLR": ({"kind": "views", "net": CONV}, augmentation("glyphs"), 256),
}
PEERS = ("a dense 784-512-128-32", "b conv 32-64-latent 32", "c dense 784-250-100-10")
MOST, LEAST_OF_PYTHAE, MOST_SECONDS, LEAST_ROWS = 1.15, 10.0, 6.0, 2e6
SAID: list[tuple[str, str, bool | None]] = []
"""What was measured, its value, and whether its gate is kept."""


def say(what: str, value: str, kept: bool | None = None) -> None:
    SAID.append((what, value, kept))
    print(f"{what}: {value}" + ("" if kept is None else " - kept" if kept else " - MISSED"), flush=True)


class Machine:
    """The device, and how much is done on it."""

    def __init__(self, dry: bool) -> None:
        if not dry and not torch.cuda.is_available():
            raise SystemExit("there is no CUDA device here: give --dry to try the script with a few samples on the CPU")
        self.dry, self.device = dry, torch.device("cpu" if dry else "cuda:0")
        self.rows, self.epochs = (64, 2) if dry else (60_000, 5)
        self.name = "a CPU, dry" if dry else torch.cuda.get_device_name(0)

    def batch(self, size: int) -> int:
        return min(size, 16) if self.dry else size

    def wait(self) -> None:
        if not self.dry:
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], object]) -> float:
        self.wait()
        started = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - started


# -- training --------------------------------------------------------------------------------------------------


class Epochs(Run):
    """Notes when an epoch ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def report(self, metrics: dict[str, float], step: int) -> None:
        self.ends.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Median of all but the first."""
        return statistics.median(np.diff(self.ends).tolist())


def built(model: dict, device: torch.device, seed: int = 0) -> Method:
    torch.manual_seed(seed)
    made: Method = ModelChoice(**model).build(Task.plain(SPEC))
    return made.to(device).train()


def loader(values: torch.Tensor, model: Method, corruptions: list[dict], batch_size: int) -> Batches:
    corrupt = one_after_another([CorruptionChoice(**choice).build() for choice in corruptions])
    finish = Finish(scale=SPEC.scale, corrupt=corrupt, second_view=model.wants_second_view)
    return Batches(values, finish, batch_size=batch_size)


def floor(machine: Machine, model: Method, batch: Batch, precision: str, steps: int) -> float:
    """Seconds of so many steps on this batch."""
    moves = [
        (player, adam_for(player, TrainOptions(), torch.tensor(1e-3, device=machine.device)))
        for player in moving(model.phases())[0].players
    ]

    def step() -> None:
        for player, optimiser in moves:
            with computing(precision, machine.device):  # type: ignore[arg-type]
                loss = torch.stack(list(player.terms(batch).values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward(inputs=player.parameters)
            optimiser.step()

    repeat = step
    if not machine.dry:
        recorder = CudaGraphs(machine.device)
        for _ in range(WARM_UP):
            with recorder.aside():
                step()
        repeat = recorder.record(step, None)  # type: ignore[assignment]
    return statistics.median(machine.seconds(lambda: [repeat() for _ in range(steps)]) for _ in range(5))


def train_all(machine: Machine, values: torch.Tensor) -> list[list[str]]:
    table = []
    for name, (choice, corruptions, size) in CASES.items():
        model, batch_size = built(choice, machine.device), machine.batch(size)
        batches = loader(values, model, corruptions, batch_size)
        precision = settled("auto", None, model, batch_size, machine.device)
        with products(precision, machine.device):
            still = built(choice, machine.device)
            drawn = partial(next, batches.epoch(0))
            setup = fastest.settled(TrainOptions(threads=1), None, still, drawn, precision, machine.device)
            with fastest.laid_out(still, setup.memory_format):
                base = floor(machine, still, drawn(), precision, len(batches))
        ours = {}
        for execution in ("auto", "eager"):
            epochs, fresh = Epochs(), built(choice, machine.device)
            options = TrainOptions(epochs=machine.epochs, execution=execution, schedule="one_cycle", threads=1)
            fit(fresh, loader(values, fresh, corruptions, batch_size), None, options, run=epochs)
            ours[execution] = epochs.seconds
        of_peers = peers(machine, choice, values, batch_size) if name in PEERS else {}
        ratio = ours["auto"] / base
        say(f"{name}: ours ÷ floor", f"{ratio:.2f} (≤ {MOST})", None if machine.dry else ratio <= MOST)
        if name in PEERS[1:] and "pythae" in of_peers:
            times = of_peers["pythae"] / ours["auto"]
            say(f"{name}: pythae ÷ ours", f"{times:.1f} (≥ {LEAST_OF_PYTHAE})", times >= LEAST_OF_PYTHAE)
        cells = [f"{of_peers[peer] / ours['auto']:.1f}" if peer in of_peers else "" for peer in ("pythae", "Lightning")]
        rows = len(batches) * batch_size / ours["auto"]
        step = f"{1e6 * base / len(batches):.0f} µs"
        table.append([name, precision, step, f"{ratio:.2f}", f"{ours['eager'] / base:.2f}", f"{rows:,.0f}", *cells])
    return table


def peers(machine: Machine, choice: dict, values: torch.Tensor, batch_size: int) -> dict[str, float]:
    """Seconds of an epoch of others, as far as they are installed."""
    found = {}
    on_cpu = values.cpu()
    for peer, epochs_of in {"pythae": of_pythae, "Lightning": of_lightning}.items():
        try:
            found[peer] = epochs_of(machine, built(choice, torch.device("cpu")), on_cpu, batch_size)
        except ImportError as error:
            if not any(peer in what for what, *_ in SAID):
                say(peer, f"left out: {error}")
    return found


def of_pythae(machine: Machine, model: Method, values: torch.Tensor, batch_size: int) -> float:
    epoch = pythae(model, values, batch_size)()
    epoch()
    return machine.seconds(epoch)


def of_lightning(machine: Machine, model: Method, values: torch.Tensor, batch_size: int) -> float:
    import lightning  # type: ignore[import-not-found]

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Sequential(model.encoder, model.decoder, torch.nn.Sigmoid())
            self.ends: list[float] = []

        def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
            return torch.nn.functional.mse_loss(self.net(batch[0]), batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

        def on_train_epoch_end(self) -> None:
            machine.wait()
            self.ends.append(time.perf_counter())

    module = Module()
    samples = torch.utils.data.TensorDataset(values.float() / 255)
    loud = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    quiet: dict[str, Any] = dict.fromkeys(loud, False)
    trainer = lightning.Trainer(max_epochs=3, accelerator="cpu" if machine.dry else "gpu", devices=1, **quiet)
    trainer.fit(module, torch.utils.data.DataLoader(samples, batch_size, shuffle=True))
    return float(np.diff(module.ends).min())


def twenty_epochs(machine: Machine, values: torch.Tensor) -> None:
    choice, corruptions, batch_size = CASES[PEERS[1]]
    model = built(choice, machine.device)
    batches = loader(values, model, corruptions, machine.batch(batch_size))
    options = TrainOptions(epochs=2 if machine.dry else 20, threads=1)
    if not machine.dry:
        torch.cuda.reset_peak_memory_stats()
    seconds = machine.seconds(lambda: fit(model, batches, None, options))
    kept = None if machine.dry else seconds < MOST_SECONDS
    say(f"{options.epochs} epochs of b, recording included", f"{seconds:.2f} s (20: < {MOST_SECONDS:.0f} s)", kept)
    if not machine.dry:
        say("memory of b at its peak, samples included", f"{torch.cuda.max_memory_allocated() / 1e6:.0f} MB")


# -- nobody waits ----------------------------------------------------------------------------------------------


def without_waiting(machine: Machine, values: torch.Tensor) -> None:
    """Whether steps make the host wait for the device: each does so eagerly and recorded, in torch's mode that refuses
    it, and of one the calls are counted by the profiler."""
    for name, (choice, corruptions, batch_size) in CASES.items():
        for execution in ("eager", "graph"):
            step = steady(
                machine, choice, loader_of(machine, values, choice, corruptions, machine.batch(batch_size)), execution
            )
            try:
                with refusing_waits(machine):
                    step(20)
            except RuntimeError as error:
                say(f"{name}, {execution}: no wait in 20 steps", f"there is one: {str(error)[:200]}", False)
                continue
            say(f"{name}, {execution}: no wait in 20 steps", "none", None if machine.dry else True)
    if machine.dry:
        return
    choice, corruptions, batch_size = CASES[PEERS[1]]
    step = steady(machine, choice, loader_of(machine, values, choice, corruptions, machine.batch(batch_size)), "graph")
    few, many = calls(step, 20), calls(step, 40)  # the profiler waits, too, but as often in both
    more = {name: count - few.get(name, 0) for name, count in sorted(many.items()) if count > few.get(name, 0)}
    say("b, recorded: CUDA calls of 20 steps", ", ".join(f"{count} {name}" for name, count in more.items()))
    waits = sum(count for name, count in more.items() if "Synchronize" in name)
    say("b, recorded: waits in 20 steps by the profiler", str(waits), not waits)


def calls(step: Callable[[int], None], count: int) -> dict[str, int]:
    """How often so many steps call CUDA, by the name of the function."""
    with torch.profiler.profile(activities=list(torch.profiler.supported_activities())) as profiled:
        step(count)
    return {event.key: event.count for event in profiled.key_averages() if event.key.startswith("cuda")}


def loader_of(
    machine: Machine, values: torch.Tensor, choice: dict, corruptions: list[dict], batch_size: int
) -> Batches:
    return loader(values, built(choice, machine.device), corruptions, batch_size)


def steady(machine: Machine, choice: dict, batches: Batches, execution: str) -> Callable[[int], None]:
    """Steps of a training after its first ones."""
    model, options = built(choice, machine.device), TrainOptions(execution=execution)  # type: ignore[arg-type]
    players = moving(model.phases())[0].players
    step = step_for(model, players, options, nullcontext, batches, machine.device, None)
    source = endless(batches, step)

    def some(count: int) -> None:
        for _ in range(count):
            step(next(source), 1e-3, 0.5, False)

    some(WARM_UP + 2)
    if not machine.dry and execution == "graph" and not (isinstance(step, GraphedStep) and step.way == "graph"):
        say(f"{choice['kind']}: recorded", "no", False)
    return some


def endless(batches: Batches, step: Any) -> Iterator[Any]:
    """All batches of an epoch again and again; their order, which is drawn on the host, is there before."""
    drawn = list(step.drawn(batches, 0, 0))[:64]
    while True:
        yield from drawn


class refusing_waits:  # noqa: N801
    """In this context torch refuses what makes the host wait for the device."""

    def __init__(self, machine: Machine) -> None:
        self._dry = machine.dry

    def __enter__(self) -> None:
        if not self._dry:
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error")

    def __exit__(self, *_: object) -> None:
        if not self._dry:
            torch.cuda.set_sync_debug_mode("default")


# -- after training --------------------------------------------------------------------------------------------


class Noise:
    """Images of which no two are alike, as a source."""

    name = "noise"

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def spec(self) -> Any:
        return SPEC

    def count(self) -> int:
        return self._rows

    def blocks(self) -> Iterator[Block]:
        draw = np.random.default_rng(0)
        for start in range(0, self._rows, 10_000):
            count = min(10_000, self._rows - start)
            images = draw.integers(0, 256, (count, *SPEC.shape), np.uint8)
            yield Block(images, [f"{row:08d}" for row in range(start, start + count)])


def export(machine: Machine, folder: Path) -> None:
    samples = write_store(folder / "samples", Noise(300 if machine.dry else 300_000))
    for name in PEERS[:2]:
        recipe = Recipe.model_validate({"model": CASES[name][0]})
        task = recipe.task(samples)
        model = TrainedModel.of(recipe.model.build(task), recipe, task, samples).to(machine.device)

        def passes(model: TrainedModel = model) -> None:
            for block in embedding.in_parallel(
                lambda values: embedding.latent_block(model, values, errors=False),
                samples.blocks(embedding.rows_per_pass(model)),
                model.device,
            ):
                block.vectors.sum()

        def written(model: TrainedModel = model) -> None:
            write_latents(folder / "latents.parquet", embedding.latent_stream(model, samples, errors=False))

        for what, work in (("encoded, from the store", passes), ("written as latents", written)):
            work()
            rows = len(samples) / min(machine.seconds(work) for _ in range(3))
            gate = None if machine.dry or work is passes else rows >= LEAST_ROWS
            say(f"{name}: {what}", f"{rows:,.0f} rows/s" + (" (≥ 2,000,000)" if work is written else ""), gate)


def k_means(machine: Machine) -> None:
    rows = 20_000 if machine.dry else 10_000_000
    centres = 10 * torch.randn(100, 32, device=machine.device, generator=torch.Generator(machine.device).manual_seed(0))
    points = centres[torch.arange(rows, device=machine.device) % 100] + torch.randn(rows, 32, device=machine.device)
    patch_features.CHUNK_ROWS = 2**18
    seconds = machine.seconds(lambda: patch_features.k_means(points, 100, 10))
    say(f"10 iterations of k-means, {rows:,} x 32, 100 groups", f"{seconds:.2f} s")


class Stopped(Exception):  # noqa: N818
    """A training was interrupted."""


class Stopping(Run):
    """Interrupts a training at the end of an epoch."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def report(self, metrics: dict[str, float], step: int) -> None:
        if step == self._epoch:
            raise Stopped


def resume(machine: Machine, values: torch.Tensor, folder: Path) -> None:
    """Is a training that was taken up, with corruptions, to the bit the one that was not interrupted?"""
    corruptions = [{"kind": "affine"}, {"kind": "masking"}]
    model = {"kind": "vae", "net": CONV}
    for deterministic in (True, False):
        options = TrainOptions(epochs=4, checkpoint_seconds=0, deterministic=deterministic, threads=1)
        whole, parts = built(model, machine.device), built(model, machine.device)
        few = values[:5000]
        fit(whole, loader(few, whole, corruptions, machine.batch(64)), None, options)
        checkpoint = CheckpointFile(folder / f"checkpoint_{deterministic}")
        try:
            fit(
                parts,
                loader(few, parts, corruptions, machine.batch(64)),
                None,
                options,
                checkpoint,
                "same",
                Stopping(3),
            )
        except Stopped:
            parts = built(model, machine.device)
            fit(parts, loader(few, parts, corruptions, machine.batch(64)), None, options, checkpoint, "same")
        apart = max(
            float((one - other).abs().max()) for one, other in zip(whole.parameters(), parts.parameters(), strict=True)
        )
        name = "deterministic" if deterministic else "as it comes"
        say(f"taken up, {name}: largest difference of a weight", f"{apart:.3g}", apart == 0 if deterministic else None)


def tests() -> None:
    """Every test that needs a GPU."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-n0", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False)
    last = (done.stdout.strip().splitlines() or [done.stderr.strip()[-200:]])[-1]
    say("pytest -m gpu", last, done.returncode == 0 if torch.cuda.is_available() else None)


def main(dry: bool, with_tests: bool) -> bool:
    machine = Machine(dry)
    images, data = mnist_like(machine.rows)
    values = torch.from_numpy(images).to(machine.device)
    table = train_all(machine, values)
    twenty_epochs(machine, values)
    without_waiting(machine, values)
    k_means(machine)
    with tempfile.TemporaryDirectory() as temporary:
        resume(machine, values, Path(temporary))
        export(machine, Path(temporary))
    if with_tests:
        tests()
    header = ["model", "precision", "floor, a step", "ours ÷ floor", "eager ÷ floor", "rows/s"]
    header += ["pythae ÷ ours", "Lightning ÷ ours"]
    said = [["**measured**", "", "", "", "", "", "", ""]]
    said += [
        [what, value, "" if kept is None else "kept" if kept else "missed", *[""] * 5] for what, value, kept in SAID
    ]
    if not dry:
        write_table("gpu", f"On a GPU: {machine.name}, {data}", header, table + said)
    return all(kept is not False for *_, kept in SAID)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="a few samples on the CPU, to see whether it runs")
    parser.add_argument("--no-tests", action="store_true", help="leave the tests out")
    given = parser.parse_args()
    raise SystemExit(not main(given.dry, not given.no_tests))
