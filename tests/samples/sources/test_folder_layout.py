import logging

import pytest
from making import images
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources import SourceChoice

TORCHVISION = ["train/cat", "train/dog", "test/cat", "test/dog"]
MVTEC = ["train/good", "test/good", "test/broken", "ground_truth/broken"]


def made(root, folders, each=3):
    """Different images in each of these folders."""
    pictures = iter(images(each * len(folders), (5, 6, 3)))
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            Image.fromarray(next(pictures)).save(root / folder / f"{number}.png")
    return root


def read(root, **options):
    """Numbers of images by (label, split); a split is None where it follows from content."""
    source = SourceChoice(kind="image_folder", path=root, **{"labels": "folder", **options}).build()
    found = {}
    for block in source.blocks():
        for label, split in zip(block.labels, block.splits or [None] * len(block.ids), strict=True):
            found[label, split] = found.get((label, split), 0) + 1
    assert source.count() == sum(found.values())
    return found


def test_train_and_test_with_classes_below_are_splits(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    assert read(made(tmp_path, TORCHVISION)) == {
        **{("cat", "train"): 3, ("dog", "train"): 3},
        **{("cat", "test"): 3, ("dog", "test"): 3},
    }
    assert "folders are read as splits with classes below them: test/ is test, train/ is train" in caplog.text
    assert "source.layout_of_folders=classes" in caplog.text


def test_masks_of_mvtec_are_no_samples(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    root = made(tmp_path, MVTEC)
    assert read(root) == {("good", "train"): 3, ("good", "test"): 3, ("broken", "test"): 3}
    assert "what is in ground_truth/ are masks, no samples" in caplog.text
    store = write_store(tmp_path / "store", SourceChoice(kind="image_folder", path=root, labels="folder").build())
    assert store.counts()["rejected"] == 0
    assert not store.index["sample_id"].str.contains("ground_truth").any()


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["cat", "dog"], {("cat", None), ("dog", None)}),
        (["cat/x", "unsorted"], {("cat", None), ("unsorted", None)}),
        ([".", "cat"], {(None, None), ("cat", None)}),
        (["train/cat", "train/dog"], {("cat", None), ("dog", None)}),
        (["Train/cat", "Valid/cat"], {("cat", "train"), ("cat", "test")}),
        (["training/cat", "val/dog", "testing/cat"], {("cat", "train"), ("dog", "train"), ("cat", "test")}),
        (["train", "test"], {(None, "train"), (None, "test")}),
        (["train", "train/cat", "test/cat"], {(None, "train"), ("cat", "train"), ("cat", "test")}),
        (["train/cat", "test/cat", "birds"], {("train", None), ("test", None), ("birds", None)}),
        (["test/cat", "other"], {("test", None), ("other", None)}),
    ],
)
def test_folders_are_understood_by_their_names(tmp_path, folders, expected):
    assert set(read(made(tmp_path, folders))) == expected


def test_a_layout_settles_what_folders_mean(tmp_path):
    root = made(tmp_path, TORCHVISION)
    assert set(read(root, layout_of_folders="classes")) == {("train", None), ("test", None)}
    splits = {("train", 6), ("test", 6)}
    found = read(root, layout_of_folders="splits", labels="none")
    assert {(split, count) for (label, split), count in found.items() if label is None} == splits


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["cat", "dog"], "layout_of_folders=splits needs a folder train, but those with images are cat, dog"),
        ([*TORCHVISION, "birds"], "beside train and test there are the folders birds"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(tmp_path, folders, message):
    with pytest.raises(InputError, match=message):
        read(made(tmp_path, folders), layout_of_folders="splits")


@pytest.mark.parametrize("layout", [None, "splits"])
def test_folders_without_images_do_not_hide_splits(tmp_path, layout):
    root = made(tmp_path, [*TORCHVISION, "__MACOSX/train"])
    (root / "docs").mkdir()
    (root / "docs/readme.txt").write_text("x")
    assert set(read(root, layout_of_folders=layout)) == {
        *{("cat", "train"), ("dog", "train")},
        *{("cat", "test"), ("dog", "test")},
    }


def test_an_empty_test_folder_leaves_the_split_to_content(tmp_path):
    root = made(tmp_path, ["train/cat", "train/dog"])
    (root / "test").mkdir()
    assert set(read(root)) == {("cat", None), ("dog", None)}


@pytest.mark.parametrize("layout", [None, "splits"])
@pytest.mark.parametrize("name", ["unlabelled", "Unlabeled", "unsorted"])
def test_unlabelled_samples_beside_splits_are_for_training(tmp_path, caplog, name, layout):
    caplog.set_level(logging.INFO)
    root = made(tmp_path, ["train/cat", "test/cat", name, f"{name}/more"])
    assert read(root, layout_of_folders=layout) == {("cat", "train"): 3, ("cat", "test"): 3, (None, "train"): 6}
    assert f"{name}/ is train without labels" in caplog.text


def test_unlabelled_samples_beside_train_alone_are_split_by_content(tmp_path):
    assert read(made(tmp_path, ["train/cat", "unlabelled"])) == {("cat", None): 3, (None, None): 3}


@pytest.mark.parametrize(("folders", "layout"), [(TORCHVISION, "splits"), (MVTEC, "mvtec")])
def test_splits_and_masks_that_are_not_asked_for_are_told(tmp_path, caplog, folders, layout):
    root = made(tmp_path, folders)
    assert {split for _, split in read(root, labels="none")} == {None}
    assert "with source.labels=none folders have no meaning" in caplog.text
    assert ("masks in ground_truth/ become samples" in caplog.text) == (layout == "mvtec")
    assert f"Give source.layout_of_folders={layout}" in caplog.text
    caplog.clear()
    read(root, labels="none", layout_of_folders=layout)
    read(root, labels="none", layout_of_folders="classes")
    read(root / "train", labels="none")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_files_in_the_root_beside_splits_are_samples_without_a_label(tmp_path):
    root = made(tmp_path, [*TORCHVISION, "."])
    assert read(root)[None, "train"] == 3


def test_files_that_are_no_images_are_passed_over_and_named(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    root = made(tmp_path, ["cat", "dog"])
    for name in ("README.txt", "metadata.csv", "cat/notes.json"):
        (root / name).write_text("x")
    store = write_store(tmp_path / "store", SourceChoice(kind="image_folder", path=root, labels="folder").build())
    assert store.counts()["read"] == 6
    assert "by content: README.txt, cat/notes.json, metadata.csv" in caplog.text


@pytest.mark.parametrize("name", ["cut.png", "phone.HEIC", "scan.dcm"])
def test_what_is_an_image_by_name_but_unreadable_is_rejected(tmp_path, name):
    root = made(tmp_path / "in", ["cat", "dog"], each=100)
    (root / name).write_bytes(b"?")
    store = write_store(tmp_path / "store", SourceChoice(kind="image_folder", path=root, labels="folder").build())
    assert store.rejects["sample_id"].tolist() == [name]
