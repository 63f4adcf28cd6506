"""Several files of a case as channels of one image."""

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.derive.channels import join_channels, stack_channels
from flexunet.data.derive.film_masks import RawFilm
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import ConfigError, ImageError


def film(folder, name):
    return RawFilm(folder / f"{name}.png", f"{name}.png", name)


def test_films_of_one_view_are_one_case_and_views_stay_apart(tmp_path):
    names = ["P1_L_DM_CC", "P1_L_CM_CC", "P1_L_DM_MLO", "P1_L_CM_MLO", "P2_R_DM_CC", "P3_CM", "DMX"]
    cases, missing = join_channels([film(tmp_path, name) for name in names], ["DM", "CM"])
    assert {case.name: [path.stem for path in case.channels] for case in cases} == {
        "P1_L_DM_CC": ["P1_L_CM_CC"],
        "P1_L_DM_MLO": ["P1_L_CM_MLO"],
    }
    assert missing == ["DMX", "P2_R_DM_CC", "P3_CM"]
    with pytest.raises(ConfigError, match="no film has the word 'LE'"):
        join_channels([film(tmp_path, "a")], ["LE", "DES"])
    for words in (["DM"], ["DM", "DM"], ["DM", ""]):
        with pytest.raises(ConfigError, match="--channels"):
            join_channels([film(tmp_path, "a")], words)


def test_channels_have_one_size_and_one_depth(tmp_path):
    eight, deep = np.full((4, 5, 1), 255, np.uint8), np.full((4, 5, 1), 1000, np.uint16)
    stacked = stack_channels([eight, deep], (tmp_path / "a", tmp_path / "b"))
    assert stacked.dtype == np.uint16
    assert stacked[0, 0].tolist() == [65535, 1000]
    with pytest.raises(ImageError, match=r"b has 4 x 4 pixels, .*a has 5 x 4"):
        stack_channels([eight, deep[:, :4]], (tmp_path / "a", tmp_path / "b"))


def test_derive_joins_channels_and_names_what_is_missing(tmp_path):
    rows, columns = np.mgrid[:80, :64]
    breast = np.where(np.hypot(columns / 50, (rows - 40) / 36) < 1, 120 + rows % 9, 0).astype(np.uint8)
    mask = np.zeros_like(breast)
    mask[30:40, 10:20] = 255
    for folder in ("films", "masks"):
        (tmp_path / folder).mkdir()
    for name, picture in (("P1_L_DM_CC", breast), ("P1_L_CM_CC", breast // 2), ("P2_L_DM_CC", breast)):
        write_image(tmp_path / "films" / f"{name}.png", picture)
    write_image(tmp_path / "masks" / "P1_L_DM_CC.png", mask)
    arguments = ["derive", tmp_path / "films", tmp_path / "out", "--masks", tmp_path / "masks"]
    options = ["--channels", "DM,CM", "--width", "64", "--height", "64", "--jobs", "1"]
    answer = CliRunner().invoke(app, [*map(str, arguments), *options])
    assert answer.exit_code == 2
    assert "P2_L_DM_CC" in answer.stderr
    (row,) = Manifest.read(tmp_path / "out").rows
    assert row["file"] == "images/P1_L_DM_CC.npy"
    image = read_image(tmp_path / "out" / row["file"], None)
    assert image.shape == (64, 64, 2)
    assert abs(int(image[32, 10, 0]) - 2 * int(image[32, 10, 1])) <= 2
    assert row["mask"] == "masks/P1_L_DM_CC.png"
    assert row["channels"] == "P1_L_DM_CC.png; P1_L_CM_CC.png"
