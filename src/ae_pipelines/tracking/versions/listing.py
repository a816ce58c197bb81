"""What the versions of a registered model are, for people to choose among them."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring.model import SIGNATURE, read_contract
from ae_pipelines.scoring.promotion import PromoteOptions
from ae_pipelines.scoring.scoring_contract import ScoringContract
from ae_pipelines.tracking.versions.champions import ROLLED_BACK, Champions
from ae_pipelines.tracking.versions.registered import FILES

CONTRACT = re.compile(r"data/[^/]+/contract\.json")
"""Which of a version's files is its contract."""


@dataclass(frozen=True)
class Listed:
    """One version."""

    number: int
    aliases: list[str]
    registered: str
    signed: bool
    champion_since: str | None
    is_champion: bool
    rolled_back: str | None
    contract: ScoringContract | None
    """None if it cannot be read."""
    before: "Listed | None"
    """The champion before it; where none is on record, the version before it."""

    def lines(self) -> Iterator[str]:
        """It in words."""
        said = [f"registered {self.registered}", *(["signed"] if self.signed else [])]
        if self.champion_since:
            said.append(f"{'champion since' if self.is_champion else 'became champion'} {self.champion_since}")
        said += [f"rolled back {self.rolled_back}"] if self.rolled_back else []
        yield f"  version {self.number}{''.join(f' @{alias}' for alias in self.aliases)}: {', '.join(said)}"
        if self.contract is None:
            yield "    its contract cannot be read: its files are gone, or were altered"
            return
        measured = [f"{name} {self.contract.metrics[name]:.4g}" for name in self._decisive]
        yield f"    {'; '.join(f'{what} {value}' for what, value in _about(self.contract).items())}"
        yield f"    {', '.join(measured) or 'not measured'}"
        if self.before is not None and self.before.contract is not None:
            changed = _changes(self.before.contract, self.contract)
            yield f"    since version {self.before.number}: {'; '.join(changed) or 'learned anew, all else is equal'}"

    @property
    def _decisive(self) -> list[str]:
        names = [*PromoteOptions().metrics, "cluster/silhouette"]
        return [name for name in names if self.contract and name in self.contract.metrics]


def listed(client: Any, name: str, versions: list[Any], alias: str) -> list[Listed]:
    """The versions of a model, oldest first."""
    since = Champions(client, name, alias).since()
    aliases: dict[int, list[str]] = {}
    for called, number in client.get_registered_model(name).aliases.items():
        aliases.setdefault(int(number), []).append(called)
    found: list[Listed] = []
    for version in versions:
        number = int(version.version)
        earlier = [one for one in found if one.champion_since] or found
        found.append(
            Listed(
                number=number,
                aliases=sorted(aliases.get(number, [])),
                registered=_when(version.creation_timestamp),
                signed=any(Path(file).name == SIGNATURE for file in json.loads(version.tags[FILES])),
                champion_since=since.get(number),
                is_champion=alias in aliases.get(number, []),
                rolled_back=version.tags.get(ROLLED_BACK),
                contract=contract_of(client, version),
                before=earlier[-1] if earlier else None,
            )
        )
    return found


def contract_of(client: Any, version: Any) -> ScoringContract | None:
    """The contract of a version, without its other files; None if it cannot be read."""
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    paths = [path for path in json.loads(version.tags[FILES]) if CONTRACT.fullmatch(path)]
    if len(paths) != 1:
        return None
    source = client.get_model_version_download_uri(version.name, version.version)
    with TemporaryDirectory() as folder, suppress(MlflowException, OSError, InputError):
        file = download_artifacts(f"{source}/{paths[0]}", dst_path=folder, tracking_uri=client.tracking_uri)
        return read_contract(Path(file))
    return None


def _about(contract: ScoringContract) -> dict[str, str]:
    """What versions differ in, by what it is called."""
    return {
        "recipe": contract.recipe,
        "samples": f"{contract.samples_id} ({' x '.join(map(str, contract.samples.shape))} {contract.samples.dtype})",
        "latents": str(contract.latent_size),
        "groups": str(contract.clusters),
        "classes": str(len(contract.classes)),
        **contract.kinds,
    }


def _changes(before: ScoringContract, after: ScoringContract) -> list[str]:
    ours, theirs = _about(after), _about(before)
    names = dict.fromkeys([*theirs, *ours])
    changed = [name for name in names if ours.get(name) != theirs.get(name)]
    told = [f"{name} {theirs.get(name, 'none')} → {ours.get(name, 'none')}" for name in changed]
    versions = [name for name in after.versions if after.versions[name] != before.versions.get(name)]
    return told + [f"{name} {before.versions.get(name)} → {after.versions[name]}" for name in versions]


def _when(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
