"""Versions of the models in MLflow's registry, and the alias that says which one is used."""

import json
import logging
import shlex
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import Run
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring import judging
from ae_pipelines.scoring.example import raw_example
from ae_pipelines.scoring.model import ScoringModel, files_of
from ae_pipelines.scoring.promotion import Compared, PromoteOptions, objections, unlike_samples
from ae_pipelines.scoring.scoring_contract import ScoringContract
from ae_pipelines.scoring.version import Fetched, Version
from ae_pipelines.tracking.store import alone, client_of
from ae_pipelines.tracking.versions.champions import ABSENT, ROLLED_BACK, Champions
from ae_pipelines.tracking.versions.registered import FILES, name_of
from ae_pipelines.tracking.versions.signature import signature

log = logging.getLogger(__name__)

FOLDER = "scoring_model"
"""Where a run's artifacts hold the models."""
LOADER = "ae_pipelines.tracking.serving"
ANOTHER = {"score.version": "..."}
"""The option that chooses a version."""
CONTENT = "ae.content_sha256"


class ModelRegistry:
    """The versions of one registered model: of the one that is called so or, where nobody `asked_for` that name, to
    fetch from, of another if that is the only one."""

    def __init__(self, project: Path, name: str, asked_for: bool = True) -> None:
        self._project, self.name, self._asked_for = project, name, asked_for

    def refuse_name_of_other(self, samples: Samples, source: str) -> None:
        """`InputError` where the model would be called as a source that the samples did not come from."""
        if not self._asked_for and samples.manifest.source != source:
            raise InputError(
                f"the samples in {samples.folder} came from {samples.manifest.source!r}, the source that is picked is "
                f"{source!r}, and models are called as their source ({self.name}): give the source that was ingested, "
                "or a name",
                options={"source": "...", "model_name": "..."},
            )

    def register(
        self, models: ScoringModel, options: PromoteOptions, run: Run, samples: Samples | None = None
    ) -> dict[str, Any]:
        """Register them as a version made by this run, unless they are one already, and move the alias to it if they
        are good enough. With the samples that they were trained on, the version shows one of them.

        Gives `name`, `version`, `new`, `content`, the `alias`, whether it was `promoted`, the `champion`'s version,
        what was `compared`, if anything was, and in words `why`.
        """
        client = self._client()
        champions = Champions(client, self.name, options.alias)
        with alone(self._project):
            found = self._version_of(client, models.contract.content, options.alias)
            version = found or self._new_version(client, models, run, samples)
            champion = champions.current
            compared, refused = self._judged(models, version, champion, options, samples)
            if not refused and champion != version:
                champions.promote(version)
        why = self._said(version, champion, refused, compared, options)
        log.info("register: %s", why)
        return {
            "name": self.name,
            "version": version,
            "new": found is None,
            "content": models.contract.content,
            "alias": options.alias,
            "promoted": not refused,
            "champion": champion if refused else version,
            "compared": compared.kept(options) if compared else None,
            "why": why,
        }

    def fetch(self, version: int | None, alias: str) -> Fetched:
        """The models of a version, by default the alias's; `InputError` if a file of it was altered."""
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        client = self._client()
        if not self._asked_for and (meant := name_of(client, self.name)) != self.name:
            log.info("no model is called %r, as the source is: the only one that is registered is %r", self.name, meant)
            return ModelRegistry(self._project, meant).fetch(version, alias)
        number = version if version is not None else Champions(client, self.name, alias).current
        if number is None:
            raise self._none(f"no version of {self.name!r} is called {alias!r}", client)
        found = self._known_version(client, number)
        if FILES not in found.tags:
            raise InputError(
                f"{self.name} version {number} was not registered by `register`, so nothing says what its files should "
                f"be: move the alias {alias} to one that was, or choose another version",
                options=ANOTHER,
            )
        source, copy = client.get_model_version_download_uri(self.name, str(number)), TemporaryDirectory()
        try:
            folder = Path(download_artifacts(artifact_uri=source, dst_path=copy.name, tracking_uri=client.tracking_uri))
        except (MlflowException, OSError) as error:
            raise InputError(
                f"the files of {self.name} version {number} cannot be read from {source} ({error}): restore them, or "
                "choose another version",
                options=ANOTHER,
            ) from error
        _refuse_altered(folder, json.loads(found.tags[FILES]), f"{self.name} version {number} ({source})")
        (data,) = (folder / "data").iterdir()
        models = ScoringModel(data, f"{self.name} version {number}")
        return Fetched(models, Version(self.name, number, models.contract.content), copy)

    def _client(self) -> Any:
        return client_of(self._project)

    def _version_of(self, client: Any, content: str, alias: str) -> int | None:
        """The newest version of this content whose files are as they were registered."""
        found = client.search_model_versions(f"name = '{self.name}' and tags.`{CONTENT}` = '{content}'")
        for number in sorted((int(version.version) for version in found), reverse=True):
            with suppress(InputError):
                self.fetch(number, alias)
                return number
        return None

    def _known_version(self, client: Any, number: int) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return client.get_model_version(self.name, str(number))
        except MlflowException as error:
            if error.error_code not in ABSENT:
                raise
            raise self._none(f"{self.name!r} has no version {number}", client) from error

    def _none(self, what: str, client: Any) -> InputError:
        found = client.search_model_versions(f"name = '{self.name}'")
        versions = sorted(int(version.version) for version in found)
        names = sorted(model.name for model in client.search_registered_models())
        others = f"registered are {', '.join(names)}" if names else "no model is registered"
        there = f"it has {', '.join(map(str, versions))}" if versions else others
        return InputError(
            f"{what}; {there}. Run train first, or choose another model_name or version",
            stages=("train",),
            options={"model_name": "..."} | ANOTHER,
        )

    def _new_version(self, client: Any, models: ScoringModel, run: Run, samples: Samples | None) -> int:
        """A version of the run's artifacts; whatever an earlier try left there is replaced."""
        from mlflow import pyfunc
        from mlflow.exceptions import MlflowException

        if (run_id := run.id) is None:
            raise InputError("models are registered by a run: run register", stages=("register",))
        with TemporaryDirectory() as temporary:
            folder = Path(temporary) / FOLDER
            pyfunc.save_model(
                folder,
                loader_module=LOADER,
                data_path=str(models.folder),
                pip_requirements=_requirements(models),
                signature=signature(models.contract),
                input_example=_example(models, samples),
            )
            files = files_of(folder)
            place = f"{FOLDER}/{models.contract.content[:16]}"  # a run that is taken up may have other models
            client.log_artifacts(run_id, str(folder), place)
        try:
            client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{client.get_run(run_id).info.artifact_uri}/{place}"
        tags = {CONTENT: models.contract.content, FILES: json.dumps(files)}
        about = _in_words(models.contract)
        return int(client.create_model_version(self.name, source, run_id, tags=tags, description=about).version)

    def _judged(
        self, models: ScoringModel, version: int, champion: int | None, options: PromoteOptions, samples: Samples | None
    ) -> tuple[Compared | None, list[str]]:
        """What was compared, and why the version must not take the champion's place; no reasons if it may."""
        if champion is None or champion == version:
            return None, []
        ours, theirs = (self._known_version(self._client(), number).tags for number in (version, champion))
        by_hand = f"by hand: python -m ae_pipelines.tracking promote {version} --model-name={shlex.quote(self.name)}"
        if since := ours.get(ROLLED_BACK):
            return None, [f"it was rolled back on {since}; {by_hand}"]
        if theirs.get(CONTENT) == ours[CONTENT]:
            return None, []  # they are the same models: the champion was damaged, or is not signed
        try:
            kept = self.fetch(champion, options.alias)  # its files are gone with it
        except InputError as error:
            return None, [f"{error}; {by_hand}"]
        if other := unlike_samples(models.contract, kept.models.contract):
            return None, [other]
        try:
            compared = judging.compared(models, kept.models, samples, options)
        except InputError as error:
            return None, [f"the champion cannot be measured on the samples of the new version: {error}; {by_hand}"]
        return compared, objections(models.contract, kept.models.contract, options, compared)

    def _said(
        self, version: int, champion: int | None, refused: list[str], compared: Compared | None, options: PromoteOptions
    ) -> str:
        if refused:
            against = "; ".join(refused) + (f"; {compared.how}" if compared else "")
            return f"{self.name}: version {champion} stays {options.alias}, not version {version}: {against}"
        if champion == version:
            return f"{self.name}: version {version} is {options.alias} already; nothing that was learned is new"
        before = f"version {champion} was before" if champion else "the first"
        numbers = compared.shown(options) if compared else ""
        return f"{self.name}: version {version} is {options.alias} now ({before})" + (f": {numbers}" if numbers else "")


def _requirements(models: ScoringModel) -> list[str]:
    """Requirements without the local part of a version (2.13.0+cpu), which no package index has."""
    versions = models.contract.versions.items()
    return [f"{name}=={version.split('+')[0]}" for name, version in versions if name != "python"]


def _example(models: ScoringModel, samples: Samples | None) -> Any:
    """One of the samples that they were trained on, as it would be sent."""
    if samples is None or samples.id != models.contract.samples_id:
        return None
    return raw_example(samples)


def _in_words(contract: ScoringContract) -> str:
    """What is in a version."""
    classes = f"{len(contract.classes)} classes" if contract.classes else "no classifier"
    parts = f"{contract.latent_size} latents, {contract.clusters} groups, {classes}"
    return f"{contract.recipe}: {', '.join(f'{part} {kind}' for part, kind in contract.kinds.items())}; {parts}"


def _refuse_altered(folder: Path, expected: dict[str, str], what: str) -> None:
    found = files_of(folder)
    found.pop("registered_model_meta", None)  # MLflow writes it into a local store whenever it opens a version itself
    if altered := sorted({name for name, _ in {*found.items()} ^ {*expected.items()}}):
        raise InputError(
            f"{what} in {folder} is damaged or was altered: {', '.join(altered[:5])}. Nothing of it is opened; restore "
            "it, or choose another version",
            options=ANOTHER,
        )
