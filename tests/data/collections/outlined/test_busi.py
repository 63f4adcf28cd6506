"""BUSI: ultrasound pictures, whole, with several masks."""

import numpy as np

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN
from flexunet.data.collections.collection import NO_FILM, NO_OUTLINE
from flexunet.data.images.label_values import read_label_values
from flexunet.data.split.plan import plan_split
from flexunet.data.split.write import write_split


def test_pictures_masks_and_classes(make, tmp_path):
    root = tmp_path / "Dataset_BUSI_with_GT"
    picture = make.breast(60, 90)
    picture[:] += 30
    for kind in ("benign", "malignant", "normal"):
        make.picture(root / kind / f"{kind} (1).png", picture)
    make.picture(root / "benign" / "benign (1)_mask.png", make.mask(60, 90, 10, 10, 10))
    make.picture(root / "benign" / "benign (1)_mask_1.png", make.mask(60, 90, 15, 10, 10))
    make.picture(root / "malignant" / "malignant (1)_mask.png", make.mask(60, 90, 30, 50, 20))
    make.picture(root / "normal" / "normal (1)_mask.png", make.mask(60, 90, 0, 0, 0))
    _, contents = make.read(root)
    states = {film.name: film.annotation.state for film in contents.films}
    assert states == {"benign (1)": ANNOTATED, "malignant (1)": ANNOTATED, "normal (1)": NORMAL}
    assert contents.gaps == {}
    assert contents.count() == {"films": 3, "patients": 0, "lesions": 3}
    rows, report = make.derived(root, tmp_path / "out")
    assert {name: row["raw_lesion_pixels"] for name, row in rows.items()} == {
        "benign (1)": "150",
        "malignant (1)": "400",
        "normal (1)": "0",
    }
    row = rows["benign (1)"]
    assert (row["crop_x"], row["crop_width"], row["raw_width"]) == ("0", "90", "90")
    assert row["lost_lesion_pixels"] == "0"
    told = report.manifest.rows[0]
    assert (told["modality"], told["pathology"], told["patient"]) == ("ultrasound", "benign", "")


def test_a_normal_picture_with_a_lesion_is_not_believed(make, tmp_path):
    make.picture(tmp_path / "normal" / "normal (1).png", make.breast(60, 90))
    make.picture(tmp_path / "normal" / "normal (1)_mask.png", make.mask(60, 90, 10, 10))
    make.picture(tmp_path / "benign" / "benign (1).png", make.breast(60, 90))
    make.picture(tmp_path / "benign" / "benign (2)_mask.png", make.mask(60, 90, 10, 10))
    _, contents = make.read(tmp_path)
    states = {film.name: film.annotation.state for film in contents.films}
    assert states == {"benign (1)": UNKNOWN, "normal (1)": BROKEN}
    assert contents.gaps == {NO_OUTLINE: ["benign (1)"], NO_FILM: ["benign (2)"]}


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    for line in (formats / "busi" / "folder_listing.txt").read_text().splitlines():
        black = line.startswith("Dataset_BUSI_with_GT/normal") and "_mask" in line
        make.picture(tmp_path / line, make.mask(60, 90, 10, 10, 0 if black else 20))
    _, contents = make.read(tmp_path)
    films = make.by_name(contents)
    assert len(films) == 4
    assert len(films["benign (100)"].masks) == 2
    assert films["normal (1)"].annotation.state == NORMAL
    assert contents.gaps == {}


def test_masks_that_touch_become_lesions_with_numbers(make, tmp_path):
    root, out = tmp_path / "Dataset_BUSI_with_GT", tmp_path / "out"
    make.picture(root / "benign" / "benign (1).png", make.breast(60, 90) + 30)
    make.picture(root / "benign" / "benign (1)_mask.png", make.mask(60, 90, 10, 10, 10))
    make.picture(root / "benign" / "benign (1)_mask_1.png", make.mask(60, 90, 10, 20, 10))
    make.picture(root / "benign" / "benign (2).png", make.breast(60, 90) + 20)
    make.picture(root / "benign" / "benign (2)_mask.png", make.mask(60, 90, 10, 10, 10))
    make.picture(root / "benign" / "benign (2)_mask_1.png", make.mask(60, 90, 40, 50, 10))
    rows, _ = make.derived(root, out)
    assert rows["benign (1)"]["instances"] == "instances/benign (1).png"
    assert "instances" not in rows["benign (2)"]
    numbers = read_label_values(out / "instances" / "benign (1).png")
    mask = read_label_values(out / "masks" / "benign (1).png")
    assert np.array_equal(numbers > 0, mask > 0)
    assert np.unique(numbers).tolist() == [0, 1, 2]
    rows, _ = make.derived(root, out)
    assert all("reused" in row for row in rows.values())
    (out / "instances" / "benign (1).png").unlink()
    rows, _ = make.derived(root, out)
    assert ("reused" in rows["benign (1)"], "reused" in rows["benign (2)"]) == (False, True)
    assert (out / "instances" / "benign (1).png").is_file()

    plan = plan_split(out, ratios=(0.5, 0.5), stratify="none", look=False)
    write_split(plan, tmp_path / "split")
    (written,) = (tmp_path / "split").glob("*/instances/*.png")
    assert (written.parents[1] / "masks" / written.name).is_file()
