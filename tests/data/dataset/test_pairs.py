import unicodedata

import numpy as np
import pytest

from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import ImageError, MaskError, PairingError, PathError


@pytest.fixture
def folders(tmp_path):
    images, masks = tmp_path / "train" / "images", tmp_path / "train" / "masks"
    images.mkdir(parents=True)
    masks.mkdir()
    return images, masks


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


def test_pairs_go_by_name_not_by_order(folders):
    images, masks = folders
    touch(images, "b.jpg", "a.png", "c.PNG", "notes.txt")
    touch(masks, "c.bmp", "a.tif", "b.npz")
    pairs = find_pairs(images, masks)
    assert [(pair.image_path.name, pair.mask_path.name) for pair in pairs] == [
        ("a.png", "a.tif"),
        ("b.jpg", "b.npz"),
        ("c.PNG", "c.bmp"),
    ]


def test_unpaired_files_are_counted_and_listed(folders):
    images, masks = folders
    touch(images, "a.png", *(f"{i:02}.png" for i in range(12)))
    touch(masks, "a.png", "zz.png")
    with pytest.raises(PairingError) as caught:
        find_pairs(images, masks)
    message = str(caught.value)
    assert "12 of 13 images" in message
    assert "00.png, 01.png" in message
    assert "09.png and 2 more" in message
    assert "10.png" not in message
    assert "1 of 2 masks" in message
    assert "zz.png" in message


def test_two_images_of_one_name(folders):
    images, masks = folders
    touch(images, "a.png", "a.jpg")
    touch(masks, "a.png")
    with pytest.raises(PairingError, match=r"a\.jpg and a\.png"):
        find_pairs(images, masks)
    (images / "a.jpg").unlink()
    touch(masks, "a.npz")
    with pytest.raises(PairingError, match="masks with the same name"):
        find_pairs(images, masks)


def test_missing_and_empty_folders(folders):
    images, masks = folders
    with pytest.raises(PathError, match="no images in"):
        find_pairs(images, masks)
    touch(images, "a.png")
    with pytest.raises(PathError, match="no masks in"):
        find_pairs(images, masks)
    (masks / "masks").mkdir()
    with pytest.raises(PathError, match=r"Perhaps .*masks.masks is meant"):
        find_pairs(images, masks)
    (masks / "images").mkdir()
    with pytest.raises(PathError, match=r"Perhaps .*masks.images is meant"):
        find_pairs(masks, images)
    with pytest.raises(PathError, match=r"mask folder .*nowhere does not exist\. Check the path\.$"):
        find_pairs(images, masks.parent / "nowhere")
    with pytest.raises(PathError, match=r"image folder .*nowhere does not exist"):
        find_pairs(images.parent / "nowhere", masks)


def test_a_common_ending_of_all_masks_is_found(folders):
    images, masks = folders
    touch(images, "a.png", "a_1.png")
    touch(masks, "a_mask.png", "a_1_mask.png")
    assert [pair.mask_path.name for pair in find_pairs(images, masks)] == ["a_mask.png", "a_1_mask.png"]


def test_an_ending_that_does_not_explain_all_is_not_guessed(folders):
    images, masks = folders
    touch(images, "a.png", "b.png")
    touch(masks, "a_mask.png", "b_seg.png")
    with pytest.raises(PairingError):
        find_pairs(images, masks)


def test_an_ending_must_not_look_like_another_name(folders):
    images, masks = folders
    touch(images, "1.png")
    touch(masks, "11.png")  # not image 1 with the ending "1"
    with pytest.raises(PairingError):
        find_pairs(images, masks)


def test_an_ending_may_be_given(folders):
    images, masks = folders
    touch(images, "a.png", "b.png")
    touch(masks, "amask.png", "bmask.png")
    assert len(find_pairs(images, masks, mask_suffix="mask")) == 2
    touch(masks, "a.png")
    with pytest.raises(PairingError, match=r"a\.png and amask\.png"):
        find_pairs(images, masks, mask_suffix="mask")


def test_source_and_patient_from_names(folders):
    images, masks = folders
    touch(images, "mirrored_P34_R_DM_MLO.png", "hflipped_7.png")
    touch(masks, "mirrored_P34_R_DM_MLO.png", "hflipped_7.png")
    found = [(pair.source, pair.patient) for pair in find_pairs(images, masks)]
    assert found == [("7", "7"), ("P34_R_DM_MLO", "P34")]


def test_source_and_patient_from_the_manifest(folders, tmp_path):
    images, masks = folders
    touch(images, "a.png", "b.png", "hflipped_c.png")
    touch(masks, "a.png", "b.png", "hflipped_c.png")
    manifest = Manifest()
    manifest.append(
        {"file": "train/images/a.png", "source": "raw1", "patient": "smith"},
        {"file": "train/images/b.png", "source": "raw2"},
    )
    manifest.write(tmp_path)
    found = [(pair.source, pair.patient) for pair in find_pairs(images, masks)]
    assert found == [("raw1", "smith"), ("raw2", "raw2"), ("c", "c")]


def test_images_may_be_links_to_files_elsewhere(folders, tmp_path):
    images, masks = folders
    Manifest().write(tmp_path / "train")
    (tmp_path / "elsewhere.png").touch()
    try:
        (images / "a.png").symlink_to(tmp_path / "elsewhere.png")
    except OSError:
        pytest.skip("links are not permitted here")
    touch(masks, "a.png")
    assert find_pairs(images, masks)[0].source == "a"


@pytest.mark.parametrize(
    ("folder", "ending"), [("ddsm_tissue", "_LI"), ("csaw_s_fullsize", "_cancer"), ("cdd_cesm", "")]
)
def test_real_data_sets(mammograms, folder, ending):
    pairs = find_pairs(mammograms / folder / "images", mammograms / folder / "masks")
    assert all(pair.mask_path.stem == pair.image_path.stem + ending for pair in pairs)


def test_images_without_truth_are_reported(mammograms):
    with pytest.raises(PairingError, match=r"mdb059\.png"):
        find_pairs(mammograms / "mini_mias_512" / "images", mammograms / "mini_mias_512" / "masks")


def test_files_of_kinds_that_are_not_read_are_named(folders):
    images, masks = folders
    touch(images, "a.png", "b.png")
    touch(masks, "a.jp2", "b.jp2")
    with pytest.raises(PathError, match=r"no masks in .* not read: 2 ending in \.jp2\. Convert them to PNG"):
        find_pairs(images, masks)
    touch(masks, "a.png")
    with pytest.raises(PairingError, match=r"b\.png.* not read: 2 ending in \.jp2"):
        find_pairs(images, masks)


def test_links_that_lead_nowhere_are_not_passed_over(folders):
    images, masks = folders
    touch(images, "a.png")
    touch(masks, "a.png", "b.png")
    (images / "b.png").symlink_to("../.git/annex/objects/b.png")
    found = find_pairs(images, masks)
    assert [pair.image_path.name for pair in found] == ["a.png", "b.png"]
    with pytest.raises(ImageError, match=r"b\.png is a link that leads nowhere: fetch .*git annex get"):
        read_image(found[1].image_path)
    (masks / "a.png").unlink()
    (masks / "a.npz").symlink_to("nowhere.npz")
    assert [pair.mask_path.name for pair in find_pairs(images, masks)] == ["a.npz", "b.png"]
    with pytest.raises(MaskError, match=r"a\.npz is a link that leads nowhere"):
        MaskReader().read(masks / "a.npz")


def test_names_that_differ_by_unicode_form_are_one(tmp_path):
    """Macs take é apart, others keep it whole: the pair is one all the same, two such images are not."""
    apart, whole = (unicodedata.normalize(form, "Brüst_é_ガ") for form in ("NFD", "NFC"))
    assert apart != whole
    for folder, name in (("images", apart), ("masks", f"{whole}_mask")):
        write_image(tmp_path / folder / f"{name}.png", np.zeros((4, 4), np.uint8))
    (pair,) = find_pairs(tmp_path / "images", tmp_path / "masks")
    assert (pair.stem, pair.image_path.name) == (whole, f"{apart}.png")
    write_image(tmp_path / "images" / f"{whole}.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(PairingError, match="same name"):
        find_pairs(tmp_path / "images", tmp_path / "masks")
