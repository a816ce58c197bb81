"""A trained decoder makes new samples."""

import logging
from collections.abc import Callable
from typing import Any

from ae_pipelines.base.run import Run
from ae_pipelines.generation.options import GenerateOptions
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)


def prepare(
    autoencoder: Any, samples: Samples, options: GenerateOptions, kept: Any, run: Run
) -> tuple[Any, list[Any], Any]:
    """The decoder with what is known of its latents; the latent spaces to search for gaps, this one's first; and who
    judges, or why nobody can. All refusals are here, before anything is written."""
    from ae_pipelines.generation import generator
    from ae_pipelines.generation import judge as judges

    made = generator.prepared(autoencoder, samples, options)
    beside = [generator.prepared_beside(options.beside, samples, options)] if options.beside else []
    try:
        return made, [made, *beside], judges.judge(samples, options, kept, run)
    except generator.CannotShow as why:
        return made, [made, *beside], why


def make(generator: Any) -> Any:
    """New samples."""
    from ae_pipelines.generation import generated

    return generated.generated(generator)


def draw_new_samples(generator: Any, generated: Any) -> Any:
    """The first of them, in a grid."""
    from ae_pipelines.plots import generation as plots

    title = f"{generator.name}: new samples from {generator.prior.said}"
    return plots.new_samples(generator.samples.spec.as_input(generated.samples), generator.classes, title)


def draw_interpolation(generator: Any) -> tuple[Any, Any]:
    """From one sample to another: a strip, and a moving picture."""
    from ae_pipelines.generation import interpolation
    from ae_pipelines.plots import generation as plots

    found = interpolation.interpolation(generator)
    return plots.interpolation(found, f"{generator.name}: from one sample to another"), plots.frames(found)


def draw_manifold(generator: Any) -> Any:
    """The plane of two latents."""
    from ae_pipelines.generation import manifold
    from ae_pipelines.plots import generation as plots

    return _or_said(lambda: plots.manifold(manifold.manifold(generator), f"{generator.name}: its two latents"))


def draw_arithmetic(generator: Any) -> Any:
    """Sums and differences of latents."""
    from ae_pipelines.generation import arithmetic
    from ae_pipelines.plots import generation as plots

    return _or_said(lambda: plots.arithmetic(arithmetic.arithmetic(generator), f"{generator.name}: latent arithmetic"))


def draw_traversal(generator: Any) -> Any:
    """What each latent does."""
    from ae_pipelines.generation import traversal
    from ae_pipelines.plots import generation as plots

    title = f"{generator.name}: one latent at a time, by how much it changes"
    return plots.traversal(traversal.traversal(generator), title)


def find_gaps(generators: list[Any]) -> list[Any]:
    """What points of each latent space decode into; none of a model without an encoder."""
    from ae_pipelines.generation import gaps

    return [gaps.gaps(generator) for generator in generators if generator.encoded is not None]


def draw_gaps(generator: Any, found: list[Any]) -> Any:
    """Which of these points are far from any real sample."""
    from ae_pipelines.plots import generation as plots

    return plots.gaps(found) if found else _or_said(generator.need_encoder)


def measure(generator: Any, found: list[Any], judge: Any) -> dict[str, float]:
    """How good new samples are, by the judge, and how much of the latent space is far from anything real."""
    from ae_pipelines.generation import judge as judges
    from ae_pipelines.generation.generator import CannotShow

    shares = {name: gaps.share for name, gaps in zip(("far_share", "far_share_beside"), found, strict=False)}
    try:
        if isinstance(judge, CannotShow):
            raise judge
        return judges.judged(generator, judge) | shares
    except CannotShow as why:
        log.warning("quality is left out: %s", why)
        return {"samples": float(generator.options.count), **shares}


def _or_said(draw: Callable[[], Any]) -> Any:
    """A picture, or one that says why there is none."""
    from ae_pipelines.generation.generator import CannotShow
    from ae_pipelines.plots import generation as plots

    try:
        return draw()
    except CannotShow as why:
        return plots.said(str(why))
