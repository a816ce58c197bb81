"""The folder of ONNX files: written whole, read verified."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ae_pipelines.base import regular_files, seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring.onnx.onnx_contract import CONTRACT, FEATURES, OnnxContract, OnnxPart

EXPORT = ("export",)
"""The stage that writes these files."""


@dataclass(frozen=True)
class OnnxExport:
    """Files to be written."""

    contents: Mapping[OnnxPart, bytes]
    contract: OnnxContract
    features: bytes | None = None
    """A program that makes what the files take of rows whose columns are of several types."""

    def into(self, folder: Path) -> None:
        """Replace the folder with these files and the contract."""
        with seals.replacing_folder(folder) as new:
            for part, content in self.contents.items():
                (new / self.contract.files[part].file).write_bytes(content)
            if self.features is not None:
                (new / FEATURES).write_bytes(self.features)
            (new / CONTRACT).write_text(self.contract.model_dump_json(indent=2), encoding="utf-8")


@dataclass(frozen=True)
class OnnxModels:
    """Files that were written, and what they promise."""

    folder: Path
    contract: OnnxContract

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The files in a folder; `InputError` if a file is missing or is not the one that the contract names."""
        path = folder / CONTRACT
        if not path.exists():
            raise InputError(f"no ONNX models in {folder}: run export first", stages=EXPORT)
        seals.check(folder, "run export again", stages=EXPORT)
        try:
            contract = OnnxContract.model_validate(json.loads(regular_files.content(path)))
        except (ValueError, RecursionError, OSError) as error:
            raise InputError(f"{path} is damaged ({error}): run export again", stages=EXPORT) from error
        for file in contract.files.values():
            _refuse_damaged(folder / file.file, file.sha256)
        if contract.features_sha256 is not None:
            _refuse_damaged(folder / FEATURES, contract.features_sha256)
        return cls(folder, contract)

    def path(self, part: OnnxPart) -> Path:
        """Path of the encoder's, decoder's or scorer's file; `InputError` says why it was left out."""
        if part not in self.contract.files:
            raise InputError(f"there is no {part}.onnx in {self.folder}: {self.contract.left_out[part]}")
        return self.folder / self.contract.files[part].file


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse_damaged(path: Path, expected: str) -> None:
    if not path.exists():
        raise InputError(f"{path} is gone: run export again", stages=EXPORT)
    if sha256(regular_files.content(path)) != expected:
        raise InputError(
            f"{path} is not the file that {CONTRACT} beside it names (its sha256 differs): run export again",
            stages=EXPORT,
        )
