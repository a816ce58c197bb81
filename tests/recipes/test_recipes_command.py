import json
import subprocess
import sys

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from making import PROJECT

from ae_pipelines.recipes.__main__ import main
from ae_pipelines.recipes.heads import heads
from ae_pipelines.recipes.listing import as_text
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.digits import Digits


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """The output of the command in a project with a recipe of its own; it must end with this status."""
    own = tmp_path / "conf/local/parameters/recipes"
    own.mkdir(parents=True)
    theirs = tmp_path / "conf/base/parameters/recipes"
    theirs.mkdir(parents=True)
    base = PROJECT / "conf/base"
    files = [*base.glob("*.yml"), *(base / f"parameters/recipes/{name}.yml" for name in ("conv", "denoising", "gan"))]
    for file in files:  # few, since reading them takes most of the time
        (tmp_path / "conf/base" / file.relative_to(base)).symlink_to(file)
    (own / "small_tuned.yml").write_text(
        "# Found for my cells, which no other recipe gets right, by tuning. Cells: probe 0.9.\n"
        "recipes: {small_tuned: {model: {kind: autoencoder, latent_size: 3, net: {kind: dense, widths: [8]}}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEDRO_ENV", "local")

    def asked(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, words)
        assert done.exit_code == status, done.output
        return done.output

    return asked


def test_every_recipe_has_a_line_that_fits_a_terminal(ask):
    found = heads(PROJECT / "conf", "test")
    lines = as_text(found).splitlines()
    assert max(map(len, lines)) <= 120
    names = [line.split()[0] for line in lines if line.startswith("  ")]
    assert sorted(names) == [head.name for head in found]


def test_recipes_of_the_user_are_listed_last(ask):
    lines = ask().splitlines()
    own = lines[lines.index("Your own") + 1]
    assert own.split() == ["small_tuned", "Found", "for", "my", "cells", "Cells:", "probe", "0.9"]


def test_the_list_can_be_read_by_programs(ask):
    found = {one["name"]: one for one in json.loads(ask("--json"))}
    assert found["conv"]["minutes"] > 0
    assert found["small_tuned"]["scores"] == ["Cells: probe 0.9."]
    assert found["small_tuned"]["own"]


def test_a_list_needs_neither_torch_nor_kedro_and_may_be_cut_short():
    program = (
        "import sys; from ae_pipelines.recipes.__main__ import main; main(standalone_mode=False); "
        "sys.exit(f'imported {found}' if (found := {'torch', 'kedro', 'pandas'} & {*sys.modules}) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    command = f"{sys.executable} -m ae_pipelines.recipes --json | head -c 1"
    cut = subprocess.run(command, shell=True, cwd=PROJECT, capture_output=True, text=True)
    assert (cut.stdout, cut.stderr) == ("[", "")


def test_a_recipe_is_shown_with_defaults_what_was_typed_and_its_layers(ask):
    options, _, model = ask("show", "small_tuned", "--shape=12", "--params=recipe.training.epochs=4").partition(
        "\nThe "
    )
    shown = yaml.safe_load(options)["recipes"]["small_tuned"]
    assert shown["model"]["net"] == {
        "kind": "dense",
        "widths": [8],
        "activation": "relu",
        "dropout": 0,
        "norm": "none",
        "tied": False,
    }
    assert (shown["training"]["epochs"], shown["loader"]["batch_size"]) == (4, 256)
    row = next(line for line in model.splitlines() if "Linear 12 -> 8" in line)
    assert row.split() == ["0.1", "Linear", "12", "->", "8", "8", "104", "32", "B", "96"]
    assert f"parameters {12 * 8 + 8 + 8 * 3 + 3 + 3 * 8 + 8 + 8 * 12 + 12}," in model


def test_a_recipe_is_shown_for_the_samples_that_a_run_has_ingested(ask, tmp_path):
    write_store(tmp_path / "data/02_intermediate/samples", Digits())
    assert "The model for digits: 1 x 8 x 8, uint8" in ask("show", "small_tuned", "--source=digits")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "small_tund"], "Did you mean 'small_tuned'?"),
        (["check", "small_tuned", "--shape=2,x"], "expected channels,height,width"),
        (["check", "small_tuned", "--params=recipe.loader.batch_size=2000"], "do not fill one batch of 2000"),
        (["check", "small_tuned", "--params=recipe=dense"], "given twice"),
        (["check", "small_tuned", "--source=mnist", "--params=raw_dir=raw"], "mnist is not on disk"),
        (["show", "conv", "--shape=12"], "conv"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_message(ask, words, said):
    answer = ask(*words, status=1)
    assert said in answer
    assert "Traceback" not in answer


def test_a_recipe_that_fits_is_said_to_fit_with_what_a_run_would_warn_of(ask, tmp_path):
    fits = ask("check", "small_tuned", "--source=digits")
    assert fits.startswith("small_tuned fits digits: 1,797 samples of 1 x 8 x 8")
    np.save(tmp_path / "photos.npy", np.random.default_rng(0).integers(0, 256, (400, 3, 30, 30), np.uint8))
    photos = "--params=source.path=photos.npy,source.layout=NCHW,recipe.loader.batch_size=8"
    answer = ask("check", "small_tuned", "--source=array", photos)
    assert "caution: images of 30 x 30 in colour go through a net that does not know" in answer
    assert "caution: gan has no encoder" in ask("check", "gan", "--shape=12")


def test_the_name_of_a_recipe_alone_is_answered_with_what_to_type(ask):
    assert "type show conv, or check conv" in ask("conv", status=2)
