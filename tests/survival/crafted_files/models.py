"""Weights, checkpoints, skops and ONNX files."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from crafted import case

from crafted_files.arrays import npy
from crafted_files.no_files import saved_in, weights_in
from crafted_files.openings import MB, Opening, Payload, zeros


def autoencoder(folder: Path, sizes: Mapping[str, Any], pretends: Mapping[str, Any]) -> Opening:
    """A trained autoencoder whose contract pretends to have other options than its weights."""
    from ae_pipelines.models import ModelChoice, weights
    from ae_pipelines.models.contract import Contract, Task
    from ae_pipelines.samples.spec import SampleSpec

    spec = SampleSpec(shape=(1, 8, 8), dtype="uint8", preprocessing={})
    choice = ModelChoice(kind="autoencoder", **sizes)
    module = choice.build(Task.plain(spec))
    contract = Contract(
        part="autoencoder",
        model=choice.described() | dict(pretends),
        task=Task.plain(spec),
        corruptions=[],
        latent_shape=(8,),
        preprocessing_sha256=spec.preprocessing_sha256,
        samples_id="0" * 16,
        recipe="crafted",
        versions={},
    )
    tensors = module.state_dict()
    weights.write(folder, tensors, weights.sealed(contract, tensors))
    return weights_in(folder)


SMALL = {"latent_size": 8, "net": {"kind": "dense", "widths": [16]}}


@case("weights: a contract of 60,000 x 60,000", short=True)
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"net": {"kind": "dense", "widths": [60_000, 60_000]}})


@case("weights: a contract of 1,000 layers of 5,000")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"net": {"kind": "dense", "widths": [5_000] * 1000}})


@case("weights: a contract with latents of 10^9 numbers")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"latent_size": 10**9})


@case("weights: a contract with 10^12 channels")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"net": {"kind": "conv", "channels": [10**12]}})


@case("weights: a contract of a method that is not there")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"kind": "os.system"})


@case("weights: a contract of other sizes")
def _(folder: Path) -> Opening:
    return autoencoder(folder, SMALL, {"latent_size": 9})


@case("weights: a header of 10^18 bytes")
def _(folder: Path) -> Opening:
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", 10**18) + b"{}" + bytes(100))
    return weights_in(folder)


@case("weights: a pickle", short=True)
def _(folder: Path) -> Opening:
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Payload(folder)))
    return weights_in(folder)


@case("weights: a contract nested 100,000 deep")
def _(folder: Path) -> Opening:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, folder / "weights.safetensors", {"contract": "[" * 100_000})
    return weights_in(folder)


@case("weights: a number of 100,000 digits in the contract")
def _(folder: Path) -> Opening:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, folder / "weights.safetensors", {"contract": '{"part": ' + "9" * 100_000 + "}"})
    return weights_in(folder)


@case("checkpoint: a pickle with a right sha256")
def _(folder: Path) -> Opening:
    return _checkpoint(folder, pickle.dumps(Payload(folder)))


@case("checkpoint: a header of 10^18 bytes")
def _(folder: Path) -> Opening:
    return _checkpoint(folder, struct.pack("<Q", 10**18) + b"{}")


@case("checkpoint: state nested 100,000 deep")
def _(folder: Path) -> Opening:
    import torch
    from safetensors.torch import save

    return _checkpoint(folder, save({"a": torch.zeros(3)}, {"state": "[" * 100_000}))


def _checkpoint(folder: Path, body: bytes) -> Opening:
    import hashlib

    from ae_pipelines.training.checkpoints import CheckpointFile

    path = folder / "checkpoint.safetensors"
    path.write_bytes(body + hashlib.sha256(body).digest())
    return lambda: CheckpointFile(path).load()


def skops(
    folder: Path, schema: Any, members: Mapping[str, bytes] | None = None, method: int = zipfile.ZIP_STORED
) -> Opening:
    path = folder / "classifier.skops"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("schema.json", schema if isinstance(schema, str | bytes) else json.dumps(schema))
        for name, content in (members or {}).items():
            file.writestr(name, content)
    return saved_in(path)


def _array_node(name: str) -> dict[str, Any]:
    return {
        **{"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": name},
        **{"protocol": 2, "_skops_version": "0.16.0"},
    }


@case("skops: a type that runs code", short=True)
def _(folder: Path) -> Opening:
    node = {
        **{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": None},
        **{"protocol": 2, "_skops_version": "0.16.0"},
    }
    return skops(folder, node)


@case("skops: a method of a type that runs code")
def _(folder: Path) -> Opening:
    inner = {"__class__": "Path", "__module__": "pathlib", "__loader__": "TypeNode", "__id__": 1}
    node = {
        **{"__class__": "method", "__module__": "builtins", "__loader__": "MethodNode", "protocol": 2},
        **{"content": {"func": "touch", "obj": inner}, "_skops_version": "0.16.0"},
    }
    return skops(folder, node)


@case("skops: an array of 2 GB of zeros in 2 MB", short=True)
def _(folder: Path) -> Opening:
    path = folder / "classifier.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", json.dumps(_array_node("a.npy")))
        with file.open("a.npy", "w", force_zip64=True) as member:
            member.write(npy((2**28,)))
            for _ in range(512):
                member.write(zeros(4 * MB))
    return saved_in(path)


@case("skops: an array of 10^12 numbers declared")
def _(folder: Path) -> Opening:
    return skops(folder, _array_node("a.npy"), {"a.npy": npy((10**12,)) + bytes(80)})


@case("skops: a schema nested 100,000 deep")
def _(folder: Path) -> Opening:
    return skops(folder, "[" * 100_000)


@case("skops: a schema of 500 MB in 500 kB")
def _(folder: Path) -> Opening:
    return skops(folder, b"[" + b"[],[],[],[]," * (40 * MB) + b"0]", method=zipfile.ZIP_DEFLATED)


@case("skops: 300,000 members")
def _(folder: Path) -> Opening:
    return skops(folder, _array_node("0.npy"), {f"{number}.npy": b"" for number in range(300_000)})


@case("skops: pickled objects in an array")
def _(folder: Path) -> Opening:
    content = io.BytesIO()
    np.save(content, np.array([Payload(folder)], object), allow_pickle=True)
    return skops(folder, _array_node("a.npy"), {"a.npy": content.getvalue()})


@case("skops: a dictionary where a classifier belongs")
def _(folder: Path) -> Opening:
    from skops import io as skops_io

    skops_io.dump({"a": 1}, folder / "classifier.skops")
    return saved_in(folder / "classifier.skops")


@case("skops: no archive at all")
def _(folder: Path) -> Opening:
    (folder / "classifier.skops").write_bytes(pickle.dumps(Payload(folder)))
    return saved_in(folder / "classifier.skops")
