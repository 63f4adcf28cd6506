import json

import pytest

from flexunet.data.dataset.names import film_of, operation_of, patient_of, source_of


@pytest.mark.parametrize(
    ("stem", "source", "operation"),
    [
        ("1001", "1001", None),
        ("barrdistorted_1003_0.3_0.3_5279", "5279", "barrdistortion"),
        ("barrdistorted_102_4915.2_0.3_1", "1", "barrdistortion"),
        ("pincdistorted_1005_0.3_-0.3_0", "0", "pincdistortion"),
        ("deformed_alpha_1300_sigmoid_8_1106", "1106", "deformation"),
        ("distorted_0.02_rsigma0.5_sigma40_18", "18", "distortion"),
        ("hfliped_1001", "1001", "hflip"),
        ("hflipped_1001", "1001", "hflip"),
        ("hflipped_sheared_0_2_1001", "1001", "shear+hflip"),
        ("hvflipped_sheared_0_2_1001", "1001", "shear+hvflip"),
        ("shrinked_0_8_1001", "1001", "shrink"),
        ("shrinked_0.7_1", "1", "shrink"),
        ("rotated_90_004_0", "004_0", "rotation"),
        ("rotated_270_mdb001", "mdb001", "rotation"),
        ("sharpened_1.5_004_0", "004_0", "sharpening"),
        ("sharpened_004_0", "004_0", "sharpening"),
        ("brightened_1.2_10.0_P3_L_DM_CC", "P3_L_DM_CC", "brightening"),
        ("flipped_P27_L_DM_MLO", "P27_L_DM_MLO", "vflip"),
        ("mirrored_P195_L_CM_CC", "P195_L_CM_CC", "hflip"),
        ("rotated_90_hflipped_flipped_x", "x", "vflip+hflip+rotation"),
        ("flipped_", "flipped_", None),  # nothing would be left
        ("rotated_image", "rotated_image", None),
    ],
)
def test_published_prefixes_are_taken_off(stem, source, operation):
    assert source_of(stem) == source
    assert operation_of(stem) == operation


def test_every_output_name_of_the_published_tools_leads_to_its_input(reference):
    def names(node):
        if isinstance(node, dict):
            for value in node.values():
                yield from names(value)
        elif isinstance(node, list):
            for value in node:
                yield from names(value)
        elif isinstance(node, str) and node.endswith(".png"):
            yield node.removesuffix(".png")

    meta = json.loads((reference / "augment" / "meta.json").read_text())
    found = {stem for stem in names(meta) if "," not in stem}
    assert len(found) > 50
    assert {source_of(stem) for stem in found} == {"0", "1", "1001"}


@pytest.mark.parametrize(
    ("folder", "sources"), [("flexunet_inbreast", 21), ("flexunet_mammogram_mastery", 22)]
)
def test_sources_of_the_published_data_sets(mammograms, folder, sources):
    stems = [path.stem for path in (mammograms / folder / "images").iterdir()]
    assert len({source_of(stem) for stem in stems}) == sources
    assert all(source_of(stem).isdigit() for stem in stems)


def test_sources_and_patients_of_cdd_cesm(mammograms):
    stems = [path.stem for path in (mammograms / "cdd_cesm" / "images").iterdir()]
    sources = {source_of(stem) for stem in stems}
    assert not any(source.startswith(("flipped", "mirrored")) for source in sources)
    assert {patient_of(stem) or source_of(stem) for stem in stems} == {
        source.split("_")[0] for source in sources
    }


@pytest.mark.parametrize(
    ("stem", "patient"),
    [
        ("flipped_P27_L_DM_MLO", "P27"),
        ("P27_R_CM_CC", "P27"),
        ("A_0092_1.RIGHT_MLO", "A_0092"),
        ("004_0", None),  # could be anything: left to a manifest
        ("mdb003", None),
        ("P27_L_DM_MLO_extra", None),
    ],
)
def test_patients_only_where_the_name_is_beyond_doubt(stem, patient):
    assert patient_of(stem) == patient


def test_a_film_is_known_by_its_manifest_before_its_name():
    by_row = film_of("P34_R_DM_MLO", {"laterality": "left", "View_Position": "cc", "modality": ""})
    assert by_row == {"side": "L", "view": "CC", "modality": "low energy"}
    assert film_of("A_1141_1.LEFT_CC") == {"side": "L", "view": "CC", "modality": ""}
