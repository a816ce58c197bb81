"""One file that holds a training between two steps: tensors, plain state, and a sha256 over both."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from ae_pipelines.base import atomic
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import content
from ae_pipelines.models.weights import copies

_DIGEST = hashlib.sha256().digest_size


class CheckpointFile:
    """Where a training keeps its state; replaced atomically, checked when read, free of pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Replace the file with `tensors` and `state` (anything JSON can hold)."""
        body = serialise(copies(tensors), metadata={"state": json.dumps(state)})
        with atomic.replacing(self.path) as temporary:
            temporary.write_bytes(body + hashlib.sha256(body).digest())

    def beside(self, name: str) -> "CheckpointFile":
        """Another file of the same training."""
        return CheckpointFile(self.path.with_name(f"{self.path.stem}.{name}"))

    def made_once(self, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors in the file if they were saved under `key`; otherwise those that `make` returns, kept there."""
        found = self.load()
        if found is not None and found[1].get("key") == key:
            return found[0]
        made = make()
        self.save(made, {"key": key})
        return made

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What was saved last; None if nothing was. `InputError` if the file is damaged."""
        if not self.path.exists():
            return None
        held = content(self.path)
        body, digest = held[:-_DIGEST], held[-_DIGEST:]
        if hashlib.sha256(body).digest() != digest:
            raise InputError(f"the checkpoint {self.path} is damaged: delete it to train afresh")
        try:
            header = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
            return parse(body), json.loads(header["__metadata__"]["state"])
        except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"the checkpoint {self.path} is none of ours ({error}): delete it to train afresh"
            ) from error
