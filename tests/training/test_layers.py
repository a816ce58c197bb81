import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.layers import layers, outline
from ae_pipelines.training.recipe import Recipe

IMAGES = SampleSpec(shape=(1, 8, 8), dtype="uint8")
NUMBERS = SampleSpec(shape=(12,), dtype="float32")
CLASSES = ("a", "b", "c")
DENSE = {"kind": "dense", "widths": [8]}
CONV = {"kind": "conv", "channels": [4]}


def of(corruptions=(), **model):
    return Recipe.model_validate({"model": model, "loader": {"corruptions": list(corruptions), "batch_size": 8}})


def test_a_convolution_and_a_linear_layer_are_counted_as_by_hand():
    found = layers(of(kind="autoencoder", net=CONV, latent_size=3), IMAGES)
    convolution, activation, flat, linear, *_ = found
    assert (convolution.place, convolution.kind) == ("encoder.0.0", "Conv2d 1 -> 4, 3 x 3, stride 2")
    assert (convolution.output, convolution.parameters) == ((4, 4, 4), 4 * 9 + 4)
    assert (convolution.multiply_adds, convolution.activation_bytes) == (4 * 4 * 4 * 9, 4 * 4 * 4 * 4)
    assert (activation.parameters, activation.multiply_adds, activation.activation_bytes) == (0, 0, 256)
    assert (flat.output, flat.activation_bytes) == ((64,), 0)
    assert (linear.kind, linear.parameters, linear.multiply_adds) == ("Linear 64 -> 3", 64 * 3 + 3, 64 * 3)


@pytest.mark.parametrize(
    ("recipe", "latent", "parts"),
    [
        (of(kind="autoencoder", net=DENSE | {"tied": True}, latent_size=3), (3,), "encoder decoder"),
        (of(kind="autoencoder", net=CONV | {"latent": "map"}, latent_size=2), (2, 4, 4), "encoder decoder"),
        (
            of(
                kind="autoencoder",
                latent_activation="sigmoid",
                net=DENSE,
                penalties=[{"kind": "contractive", "weight": 1}],
            ),
            (32,),
            "encoder decoder",
        ),
        (of(kind="stacked", net=DENSE, latent_size=3), (3,), "encoder decoder"),
        (of(kind="vae", net=DENSE, latent_size=3, conditional=True), (3,), "encoder decoder"),
        (of(kind="gan", net=DENSE, latent_size=3, conditional=True), (3,), "decoder discriminator"),
        (of(kind="siamese", net=DENSE, latent_size=3), (3,), "encoder"),
        (of([{"kind": "masking"}], kind="restorer", width=4, blocks=1), (), "net"),
        (of([{"kind": "masking"}], kind="views", net=DENSE, latent_size=3), (3,), "encoder projector"),
        (
            of([{"kind": "masking"}], kind="joined", parts=[{"kind": "views", "net": DENSE}, {"kind": "patches"}]),
            (96,),
            "encoder rest",
        ),
    ],
)
def test_all_layers_of_a_method_are_there_and_have_all_its_parameters(recipe, latent, parts):
    found = outline(recipe, IMAGES, CLASSES)
    assert found.latent_shape == latent
    assert list(dict.fromkeys(layer.part for layer in found.layers)) == parts.split()
    assert sum(layer.parameters for layer in found.layers) == found.parameters > 0
    only = {layer.part for layer in found.layers if layer.only_in_training}
    assert only == {*parts.split()} & {"discriminator", "projector", "rest"}


def test_what_a_module_multiplies_beside_those_within_it_is_its_own():
    recipe = of([{"kind": "masking"}], kind="views", net=DENSE, features=6, latent_size=2)
    found = {layer.place: layer for layer in layers(recipe, NUMBERS)}
    assert (found["encoder"].kind, found["encoder"].multiply_adds) == ("Reduced", 6 * 2)
    assert found["encoder.net.0.1"].multiply_adds == 12 * 8
    assert found["projector.0"].multiply_adds == 6 * 512


def test_a_file_holds_what_is_learned_without_gradients_too():
    found = outline(of(kind="patches", latent_size=4, centroids=8), IMAGES)
    assert found.parameters == 0
    assert found.file_bytes == 4 * found.buffers > 0


def test_shapes_are_those_of_what_corruptions_make():
    small = of([{"kind": "downscale", "factor": 2}], kind="autoencoder", net=CONV, latent_size=2)
    crop = {"kind": "crop", "size": 6, "whole": "kept"}
    crops = of([crop], kind="views", net={"kind": "resnet", "widths": [4]})
    assert outline(small, IMAGES).input_shape == (1, 4, 4)
    found = outline(crops, IMAGES)
    assert (found.input_shape, found.training_shape) == ((1, 8, 8), (1, 6, 6))


def test_a_method_that_needs_labels_is_refused_where_there_are_no_classes():
    with pytest.raises(InputError, match="needs labels"):
        layers(of(kind="vae", net=DENSE, conditional=True), IMAGES)
