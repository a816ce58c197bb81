"""The run in one sentence: what it found, and how sure that is."""

import time
from collections.abc import Iterator

from ae_pipelines.comparison import controls
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.shown.words import duration, isolated


def section(results: Results) -> Section:
    """What was found in a sentence, from what, by which recipe, when, and what was warned about."""
    contract, run = results.autoencoder.contract, results.run
    trained_now = contract.run_id is None or contract.run_id == run.id
    html = render(
        "verdict",
        sentence=sentence(results),
        samples=_samples(results),
        recipe=contract.recipe,
        latent_size=contract.latent_size,
        elsewhere=None if contract.elsewhere is None else contract.elsewhere.words,
        epochs=len(results.training_history or ()),
        when=time.strftime("%-d %B %Y, %H:%M UTC", time.gmtime()),
        took=duration(time.time() - run.started) if trained_now and run.started else None,
        run=run.id if trained_now else contract.run_id,
        address=run.address if trained_now else None,
        registered=(results.registration or {}).get("why"),
        left_out=results.left_out,
        warnings=grouped_warnings(results),
    )
    return Section("verdict", title(results), html)


def title(results: Results) -> str:
    """What the page is about."""
    return f"{isolated(results.samples.manifest.source)} · {results.autoencoder.contract.recipe}"


def sentence(results: Results) -> str:
    """The most important results, beside those of the best control."""
    found = "; ".join([*_groups(results), *_classifier(results), *_reconstruction(results)])
    if not found:
        return f"{len(results.latents):,} samples became latents."
    return f"{found[0].upper()}{found[1:]}."


def grouped_warnings(results: Results) -> dict[str, list[str]]:
    """What was warned about, by stage, each once."""
    warned = results.warnings or {}
    return {
        stage: list(dict.fromkeys(text for texts in nodes.values() for text in texts))
        for stage, nodes in warned.items()
        if any(nodes.values())
    }


def _groups(results: Results) -> Iterator[str]:
    if results.cluster_sizes is not None:
        count = int((results.cluster_sizes["cluster"] >= 0).sum())
        yield f"{count} groups" if count != 1 else "one group"


def _classifier(results: Results) -> Iterator[str]:
    metrics = results.classify_metrics
    if metrics is None:
        return
    low, high = metrics.get("accuracy_low"), metrics.get("accuracy_high")
    sure = "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f})"
    compared = _controls(results)
    control = "" if compared or "pca_accuracy" not in metrics else f", on PCA for {100 * metrics['pca_accuracy']:.0f} %"
    yield (
        f"a classifier from {int(metrics['train_rows']):,} labels is right for {100 * metrics['accuracy']:.0f} %{sure} "
        f"of {int(metrics['test_rows']):,} held-out samples{control}"
    )
    yield from compared
    if "majority" in metrics:
        yield f"always the commonest class: {100 * metrics['majority']:.0f} %"


def _controls(results: Results) -> list[str]:
    """The latents beside the best control from many labels and from few; none if they were not compared."""
    if results.controls is None or not (metrics := results.controls["metrics"]):
        return []
    right, said = controls.by_name(metrics), []
    for measure, count in controls.labels_of(metrics).items():
        if (best := controls.best_of(right, measure)) is not None:
            ours, theirs = right[controls.OURS][measure], right[best][measure]
            said.append(f"{ours:.0f} % from {count:,} labels (the best control, {best}: {theirs:.0f} %)")
    return [f"by a linear classifier latents are right for {' and '.join(said)}"] if said else []


def _reconstruction(results: Results) -> Iterator[str]:
    metrics = results.embed_metrics or {}
    if results.classify_metrics is None and "reconstruction_error" in metrics:
        control = metrics.get("pca_reconstruction_error")
        beside = "" if control is None else f", PCA's {control:.4g}"
        yield f"mean squared reconstruction error {metrics['reconstruction_error']:.4g}{beside}"


def _samples(results: Results) -> str:
    manifest, labelled = results.samples.manifest, int(results.latents.labelled.sum())
    text = f"{len(results.samples):,} samples of {isolated(manifest.source)}, {labelled:,} with a label"
    return f"{text}, {manifest.rejected:,} left out" if manifest.rejected else text
