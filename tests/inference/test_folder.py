"""A folder through inference: every file that is written, bad input, crops, restarts."""

import csv
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from flexunet.config.schema import Config
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.derive.crop import CropBox
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import PathError, RunLockedError
from flexunet.inference.folder import infer_folder
from flexunet.inference.inputs import mask_names
from flexunet.inference.outputs.contours import fill_outline
from flexunet.inference.predict.predictor import Predictor
from flexunet.models.registry import build_model

SIZE = 16


class Brightness(Predictor):
    """A predictor whose probability of foreground is the brightness of the pixel."""

    def __init__(self, config, classes=2):
        super().__init__(TINY, config)
        self.classes = classes
        self.seen = []

    def prepare(self, image):
        """Half of the brightness to each foreground class, the first a little more."""
        bright = image[..., :1] / np.float32(np.iinfo(image.dtype).max)
        if self.classes == 2:
            return np.concatenate([1 - bright, bright], axis=2).astype(np.float32)
        return np.concatenate([1 - bright, bright * 0.75, bright * 0.25], axis=2).astype(np.float32)

    def forward(self, prepared):
        """Whatever the sizes, nothing is stacked."""
        self.seen += [each.shape for each in prepared]
        return list(prepared)


TINY = build_model(
    Config(
        model={
            "image_width": SIZE,
            "image_height": SIZE,
            "num_layers": 2,
            "base_filters": 2,
            "base_kernels": (3, 3),
        }
    )
)


def configured(folder, **infer):
    return Config(infer={"images_dir": str(folder), "output_dir": str(folder.parent / "masks"), **infer})


def picture(*spots, height=20, width=24):
    """Dark picture with bright boxes (top, left, height, width)."""
    image = np.full((height, width), 10, np.uint8)
    for top, left, rows, columns in spots:
        image[top : top + rows, left : left + columns] = 200
    return image


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    write_image(folder / "one.png", picture((2, 3, 4, 5), (12, 12, 1, 1)))
    write_image(folder / "none.png", picture())
    return folder


def read_masks(folder):
    masks = {}
    for path in sorted(folder.iterdir()):
        with Image.open(path) as mask:
            masks[path.name] = np.asarray(mask)
    return masks


def table(folder):
    with (folder / "masks_lesions" / "lesions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_masks_table_and_contours_agree(images, tmp_path):
    config = configured(images)
    result = infer_folder(config, predictor=Brightness(config))
    assert result.failures == {}
    masks = read_masks(tmp_path / "masks")
    expected = (picture((2, 3, 4, 5), (12, 12, 1, 1)) == 200).astype(np.uint8)
    assert np.array_equal(masks["one.png"], expected)
    assert not masks["none.png"].any()
    rows = table(tmp_path)
    assert [(row["file"], row["area_px"], row["box_x"]) for row in rows] == [
        ("one.png", "20", "3"),
        ("one.png", "1", "12"),
    ]
    assert float(rows[0]["mean_probability"]) == pytest.approx(200 / 255, abs=1e-6)
    document = json.loads((tmp_path / "masks_lesions" / "contours.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["none.png", "one.png"]
    filled = np.zeros_like(expected)
    for annotation in document["annotations"]:
        filled |= fill_outline(np.array(annotation["segmentation"][0]).reshape(-1, 2), 20, 24)
    assert np.array_equal(filled, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "images", "masks", "masks_lesions", "masks_overlay",
    ]  # fmt: skip
    summary = result.summary()
    assert json.loads(json.dumps(summary))["lesions"] == {
        str(images / "none.png"): 0,
        str(images / "one.png"): 2,
    }


def test_small_lesions_are_dropped_and_holes_filled(images, tmp_path):
    ring = picture((4, 4, 9, 9))
    ring[7:10, 7:10] = 10
    write_image(images / "ring.png", ring)
    config = configured(images, min_lesion_pixels=2, fill_holes=True)
    infer_folder(config, predictor=Brightness(config))
    masks = read_masks(tmp_path / "masks")
    assert masks["one.png"].sum() == 20
    assert masks["ring.png"].sum() == 81


def test_probability_maps(images, tmp_path):
    config = configured(images, probabilities="png")
    predictor = Brightness(config)
    infer_folder(config, predictor=predictor)
    map_16_bit = read_image(tmp_path / "masks_probabilities" / "one.png", 1)
    assert map_16_bit.dtype == np.uint16
    expected = predictor(read_image(images / "one.png", 1))
    assert np.abs(map_16_bit / 65535 - expected[..., 1:]).max() < 1e-5
    config = configured(images, probabilities="npz")
    infer_folder(config, predictor=predictor)
    with np.load(tmp_path / "masks_probabilities" / "one.npz", allow_pickle=False) as arrays:
        assert np.abs(arrays["probabilities"] - expected).max() < 5e-4


@pytest.mark.parametrize(
    ("given", "named"), [([], ["class 1", "class 2"]), (["mass", "Kalk"], ["mass", "Kalk"])]
)
def test_each_class_has_its_own_probability_map_and_lesions(images, tmp_path, given, named):
    colors = {(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2}
    config = configured(images, probabilities="png")
    config = Config(
        infer=config.infer.model_dump(),
        model={"num_classes": 3},
        mask={"rgb_map": colors} | {"class_names": given},
    )
    infer_folder(config, predictor=Brightness(config, classes=3))
    for label, share in ((1, 0.75), (2, 0.25)):
        levels = read_image(tmp_path / "masks_probabilities" / f"class_{label}" / "one.png", 1)
        assert levels.max() / 65535 == pytest.approx(200 / 255 * share, abs=1e-4)
    document = json.loads((tmp_path / "masks_lesions" / "contours.json").read_text())
    assert [category["name"] for category in document["categories"]] == named


@pytest.mark.parametrize("given", ["configured folder", "glob", "list", "files", "folder above"])
def test_every_kind_of_bad_file_however_it_is_given(write_dicom, images, tmp_path, given):
    pydicom = pytest.importorskip("pydicom")
    from flexunet.inference.outputs.dicom_objects.segmentation import read_segmentation

    stored = picture((2, 3, 4, 5)).astype(np.uint16) * 16
    spacing = {"ImagerPixelSpacing": [0.1, 0.2]}
    write_dicom(images / "good.dcm", stored, BitsStored=12, **spacing)
    write_dicom(images / "1.2.840.9", 4095 - stored, BitsStored=12, PhotometricInterpretation="MONOCHROME1")
    whole = (images / "good.dcm").read_bytes()
    (images / "truncated.dcm").write_bytes(whole[:-300])
    (images / "text.dcm").write_text("no image " * 40)
    write_dicom(images / "no_pixels.dcm", stored, PixelData=None)
    write_dicom(images / "colour.dcm", stored, PhotometricInterpretation="RGB", SamplesPerPixel=3)
    write_dicom(images / "photometric.dcm", stored, PhotometricInterpretation="MONO")
    write_dicom(images / "bomb.dcm", stored, Rows=30000, Columns=30000)
    write_dicom(images / "pixel.dcm", stored[:1, :1])
    write_dicom(images / "spacing.dcm", stored, PixelSpacing=[0, 0])
    write_dicom(
        images / "codec.dcm",
        stored,
        syntax=pydicom.uid.HEVCMP51,
        PixelData=pydicom.encaps.encapsulate([b"01"]),
    )
    write_image(images / "pixel.png", np.zeros((1, 1), np.uint8))
    (images / "cut.pgm").write_bytes(b"P5 20 20 65535 " + bytes(20))
    (tmp_path / "list.csv").write_text(
        "\n".join(["image", *(f"images/{path.name}" for path in images.iterdir())])
    )
    inputs = {
        "configured folder": [],
        "glob": [f"{tmp_path}/im*/*"],
        "list": [tmp_path / "list.csv"],
        "files": sorted(images.iterdir()),
        "folder above": [tmp_path, images / "pixel.png", images / "cut.pgm", *images.glob("*ne.png")],
    }[given]
    config = configured(images)
    result = infer_folder(config, inputs=inputs, predictor=Brightness(config))
    bad = {"truncated", "text", "no_pixels", "colour", "photometric", "bomb", "pixel", "spacing", "codec"}
    assert {path.name for path in result.failures} == {f"{name}.dcm" for name in bad} | {
        "pixel.png",
        "cut.pgm",
    }
    for path, message in result.failures.items():
        assert str(path) in message
    expected = (stored > 1000).astype(np.uint8)
    masks = read_masks(tmp_path / "masks")
    assert sorted(masks) == ["1.2.840.9.png", "good.png", "none.png", "one.png"]
    assert infer_folder(config, inputs=inputs, predictor=Brightness(config)).reused == 4
    for name in ("good", "1.2.840.9"):
        assert np.array_equal(masks[f"{name}.png"], expected)
        assert np.array_equal(read_segmentation(tmp_path / "masks_dicom" / f"{name}.dcm"), expected)
    good = next(row for row in table(tmp_path) if row["file"] == "good.dcm")
    assert float(good["area_mm2"]) == pytest.approx(20 * 0.02)
    assert float(good["long_axis_mm"]) == pytest.approx(np.hypot(5 * 0.2, 4 * 0.1), abs=1e-3)


def test_segmentation_objects_can_be_left_out(write_dicom, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    write_dicom(folder / "a.dcm", picture((2, 3, 4, 5)))
    config = configured(folder, dicom_seg=False)
    assert not infer_folder(config, predictor=Brightness(config)).failures
    assert not (tmp_path / "masks_dicom").exists()


def test_a_header_that_nothing_can_refer_to_keeps_its_mask(write_dicom, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    write_dicom(folder / "a.dcm", picture((2, 3, 4, 5)), StudyInstanceUID=None)
    config = configured(folder)
    for reused in (0, 1):  # said again by the run that reuses the mask
        result = infer_folder(config, predictor=Brightness(config))
        assert result.reused == reused
        assert "lacks StudyInstanceUID" in result.failures[folder / "a.dcm"]
        assert result.lesions == {folder / "a.dcm": 1}
    assert read_masks(tmp_path / "masks")["a.png"].sum() == 20
    assert not (tmp_path / "masks_dicom").exists()


def test_dicom_window_reaches_the_model(write_dicom, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    write_dicom(folder / "a.dcm", picture((2, 3, 4, 5)).astype(np.uint16), BitsStored=12)
    for window, found in (("full", 0), ("range", 20), ("100,20", 20)):
        config = configured(folder)
        config.image.dicom_window = window
        result = infer_folder(config, predictor=Brightness(config))
        assert list(result.foreground_pixels.values()) == [found]


def test_crops_get_a_mask_of_their_film_too(tmp_path):
    root = tmp_path / "data"
    write_image(root / "images" / "a.png", picture((2, 3, 4, 5)))
    write_image(root / "images" / "turned.png", picture((2, 3, 4, 5)))
    box = CropBox(10, 5, 48, 40, True, 100, 60, 24, 20)
    manifest = Manifest()
    row = {**box.columns(), "pixel_spacing_mm": "0.5"}
    manifest.append({"file": "images/a.png", **row})
    manifest.append({"file": "images/turned.png", "operation": "rotation", **row})
    manifest.write(root)
    config = configured(root / "images", output_dir=str(tmp_path / "masks"))
    assert not infer_folder(config, predictor=Brightness(config)).failures
    films = read_masks(tmp_path / "masks_film")
    assert list(films) == ["a.png"]
    # Mirrored back, twice as large: columns 3..7 of 24 are 16..20 from the right, 32..41 on the box.
    expected = np.zeros((60, 100), np.uint8)
    expected[5 + 4 : 5 + 12, 10 + 32 : 10 + 42] = 1
    assert np.array_equal(films["a.png"], expected)
    assert table(tmp_path)[0]["area_mm2"] == "5.0"
    # Without the whole film where it is not wanted.
    config.infer.film_masks = False
    config.infer.output_dir = str(tmp_path / "again")
    infer_folder(config, predictor=Brightness(config))
    assert not (tmp_path / "again_film").exists()


def test_a_second_run_predicts_only_what_changed(images, tmp_path):
    config = configured(images)
    predictor = Brightness(config)
    first = infer_folder(config, predictor=predictor)
    tables = [(tmp_path / "masks_lesions" / name).read_bytes() for name in ("lesions.csv", "contours.json")]
    assert (len(predictor.seen), first.reused) == (2, 0)
    second = infer_folder(config, predictor=predictor)
    assert (len(predictor.seen), second.reused) == (2, 2)
    assert tables == [
        (tmp_path / "masks_lesions" / name).read_bytes() for name in ("lesions.csv", "contours.json")
    ]
    assert second.mask_paths == first.mask_paths
    assert second.lesions == first.lesions

    write_image(images / "none.png", picture((1, 1, 3, 3)))  # another image under the same name
    assert infer_folder(config, predictor=predictor).reused == 1
    (tmp_path / "masks" / "one.png").unlink()  # a mask that was removed
    assert infer_folder(config, predictor=predictor).reused == 1
    write_image(tmp_path / "masks" / "one.png", picture())  # a mask that was changed
    assert infer_folder(config, predictor=predictor).reused == 1
    config.infer.fill_holes = True  # another setting
    assert infer_folder(config, predictor=predictor).reused == 0
    assert infer_folder(config, predictor=predictor).reused == 2
    (images / "one.png").unlink()  # an image that is gone is no longer in the tables
    assert infer_folder(config, predictor=predictor).reused == 1
    assert {row["file"] for row in table(tmp_path)} == {"none.png"}


def test_another_model_predicts_again(images):
    config = configured(images)
    predictor = Brightness(config)
    infer_folder(config, predictor=predictor)
    weights = TINY.get_weights()
    TINY.set_weights([weight + 1 for weight in weights])
    assert infer_folder(config, predictor=predictor).reused == 0
    TINY.set_weights(weights)


def test_a_run_that_was_cut_off_goes_on(images, tmp_path):
    for number in range(6):
        write_image(images / f"more{number}.png", picture((2, 3, 4, 2 + number)))
    config = configured(images)

    class Stops(Brightness):
        def forward(self, prepared):
            if len(self.seen) >= 4:
                raise KeyboardInterrupt
            return super().forward(prepared)

    stops = Stops(config)
    stops.batch_size = 2
    with pytest.raises(KeyboardInterrupt):
        infer_folder(config, predictor=stops)
    with (tmp_path / "masks_lesions" / "journal.jsonl").open("a") as journal:
        journal.write('{"file": "none.pn')  # as a crash leaves it
    predictor = Brightness(config)
    result = infer_folder(config, predictor=predictor)
    assert result.reused >= 3
    assert len(predictor.seen) == 8 - result.reused
    assert len(table(tmp_path)) == 8
    assert len(list((tmp_path / "masks").iterdir())) == 8


def test_dicom_files_named_by_uid_keep_their_names(write_dicom, tmp_path):
    names = mask_names([write_dicom(tmp_path / name, picture()) for name in ("1.2.3.4", "1.2.3.5")])
    assert sorted(names.values()) == ["1.2.3.4.png", "1.2.3.5.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_stays_alone(images, tmp_path):
    odd = images / os.fsdecode(b"caf\xe9.png")
    write_image(odd, picture())
    config = configured(images)
    result = infer_folder(config, predictor=Brightness(config))
    assert list(result.failures) == [odd]
    assert "not UTF-8" in result.failures[odd]
    assert sorted(read_masks(tmp_path / "masks")) == ["none.png", "one.png"]


@pytest.mark.parametrize("kind", ["overlay", "dicom"])
def test_no_image_is_written_over_by_what_is_made_of_it(write_dicom, tmp_path, kind):
    image = tmp_path / f"masks_{kind}" / ("a.dcm" if kind == "dicom" else "a.png")
    image.parent.mkdir()
    if kind == "dicom":
        write_dicom(image, picture())
    else:
        write_image(image, picture())
    before = image.read_bytes()
    config = configured(image.parent)
    with pytest.raises(PathError, match="is to be read, and to be written over"):
        infer_folder(config, inputs=[image], predictor=Brightness(config))
    assert image.read_bytes() == before


def test_a_film_of_12_bits_is_seen_and_said(tmp_path):
    """A 16-bit file whose white is 4095 gives what the same film in 16 bits gives."""
    films = tmp_path / "films"
    film = np.zeros((32, 32, 1), np.uint16)
    film[4:20, 4:20] = 2290
    write_image(films / "film.png", film)
    config = configured(films)
    result = infer_folder(config, predictor=Brightness(config))
    assert result.foreground_pixels == {films / "film.png": 256}
    assert len(result.notes) == 1
    assert "values to 2290 of 65535" in result.notes[0]
    assert not result.unlike_training
    config.image.range = "full"
    result = infer_folder(config, predictor=Brightness(config))
    assert result.foreground_pixels == {films / "film.png": 0}
    assert "nearly black" in result.notes[0]


def test_a_blank_picture_and_a_chest_film_are_named(write_dicom, tmp_path):
    films = tmp_path / "films"
    write_image(films / "blank.png", np.full((32, 32, 1), 200, np.uint8))
    stored = picture((2, 3, 4, 5)).astype(np.uint16)
    write_dicom(films / "chest.dcm", stored, Modality="CR", BodyPartExamined="CHEST")
    config = configured(films, dicom_seg=False)
    result = infer_folder(config, predictor=Brightness(config))
    assert result.unlike_training[films / "blank.png"] == "nearly constant"
    assert ["Modality is CR" in note for note in result.notes] == [True, False]
    assert "BodyPartExamined is CHEST" in result.notes[1]
    with (tmp_path / "masks_lesions" / "images.csv").open(newline="") as stream:
        rows = {row["file"]: row["unlike_training"] for row in csv.DictReader(stream)}
    assert rows["blank.png"] == "nearly constant"
    with (tmp_path / "masks_lesions" / "lesions.csv").open(newline="") as stream:
        assert {row["unlike_training"] for row in csv.DictReader(stream)} == {"nearly constant"}


def test_what_a_killed_run_left_is_swept(images, tmp_path, left_by_a_killed_process):
    config = configured(images, probabilities="png")
    for folder in ("masks", "masks_overlay", "masks_probabilities", "masks_lesions"):
        left_by_a_killed_process(tmp_path / folder / "one.png")
    infer_folder(config, predictor=Brightness(config))
    assert not list(tmp_path.rglob(".*"))


def test_a_second_run_at_once_is_refused_and_neither_mixes(images, tmp_path):
    config = configured(images)

    def second(stage, done, total, note=None):
        with pytest.raises(RunLockedError, match=r"masks_lesions is in use: process \d+ .* writes there"):
            infer_folder(config, predictor=Brightness(config))

    assert len(infer_folder(config, predictor=Brightness(config), progress=second).mask_paths) == 2


def test_images_are_listed_by_doubt(tmp_path, open_page):
    """Brightness is the probability: 0.9 leaves less doubt than 0.6."""
    films = tmp_path / "films"
    for name, level in (("sure<b>", 0.9), ("unsure", 0.6)):
        image = np.zeros((16, 16, 1), np.uint8)
        image[4:8, 4:8] = round(255 * level)
        write_image(films / f"{name}.png", image)
    config = configured(films)
    infer_folder(config, predictor=Brightness(config))
    with (tmp_path / "masks_lesions" / "images.csv").open(newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    share = round(255 * 0.6) / 255
    assert float(rows["unsure.png"]["confidence"]) == pytest.approx(share, abs=1e-4)
    entropy = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    assert float(rows["unsure.png"]["entropy"]) == pytest.approx(entropy, abs=1e-4)
    page = open_page((tmp_path / "masks_lesions" / "images.html").as_uri(), 1000)
    assert page.locator("tbody td:first-child").all_inner_texts() == ["unsure.png", "sure<b>.png"]
    widths = page.locator("img").evaluate_all("images => images.map(each => each.naturalWidth)")
    assert widths == [16, 16]
    assert page.locator("a").first.get_attribute("href") == "../masks_overlay/unsure.png"
    narrow = open_page((tmp_path / "masks_lesions" / "images.html").as_uri(), 400)
    picture, name = narrow.locator("img").first.bounding_box(), narrow.locator("td").first.bounding_box()
    assert picture["x"] < 20  # in sight, above its name, without scrolling sideways
    assert picture["y"] < name["y"]
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 400
