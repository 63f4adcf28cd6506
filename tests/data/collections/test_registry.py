"""Which data set a download is."""

import pytest

from flexunet.data.collections.download import Download
from flexunet.data.collections.registry import COLLECTIONS, find_collection, open_collection
from flexunet.errors import ConfigError, DatasetError, PathError

# One file by which a download of each is known.
SIGNS = {
    "inbreast": "AllDICOMs/20586908_6c613a14b80a8591_MG_R_CC_ANON.dcm",
    "cbis-ddsm": "Mass-Training_P_00001_LEFT_CC/1.3.6/1.3.7/1-1.dcm",
    "cdd-cesm": "Low energy images of CDD-CESM/P1_L_DM_MLO.jpg",
    "mini-mias": "mdb001.pgm",
    "mias": "MIAS/mdb001ll.png",
    "csaw-s": "anonymized_dataset/004/004_0.png",
    "bcdr": "BCDR/patient_2/study_3/img_2_3_1_LO.tif",
    "ddsm": "cancer_01/case3013/B_3013_1.LEFT_CC.LJPEG.png",
    "dmid": "TIFF Images/TIFF Images/IMG001.tif",
    "curated": "CSAW/CSAW-SELECTED-IMGS/CSAW-Image-122.png___PRE.png",
    "busi": "Dataset_BUSI_with_GT/benign/benign (1).png",
    "bus-bra": "BUSBRA/Images/bus_0001-l.png",
    "mastery": "Breast Cancer Dataset/Original Dataset/Non-Cancer/1.jpg",
    "cmmd": "CMMD/D1-0001/07-18-2010-NA-NA-79377/1.000000-NA-70244/1-1.dcm",
    "rsna": "train_images/10006/462822612.dcm",
    "vindr-mammo": f"images/{'a' * 32}/{'b' * 32}.dicom",
    "nnunet": "Dataset001_Mass/imagesTr/case_0000.png",
    "embed": "images/cohort_1/27942877/1234/1.2.840.113.dcm",
}


def laid(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return Download.open(root)


def test_every_data_set_has_a_sign():
    assert SIGNS.keys() == COLLECTIONS.keys()


@pytest.mark.parametrize("name", SIGNS)
@pytest.mark.parametrize("above", ["", "downloads/unpacked here/"])
def test_a_download_is_recognised_by_its_files_and_is_no_other(tmp_path, name, above):
    download = laid(tmp_path, above + SIGNS[name])
    assert open_collection(download).name == name
    assert open_collection(download, name.upper()).name == name
    for other in SIGNS.keys() - {name}:
        with pytest.raises(DatasetError) as caught:
            open_collection(download, other)
        assert f"It looks like {COLLECTIONS[name].title} (--dataset {name})" in str(caught.value)
        assert COLLECTIONS[other].layout in str(caught.value)


def test_two_data_sets_in_one_folder_are_not_guessed(tmp_path):
    download = laid(tmp_path, SIGNS["mini-mias"], SIGNS["busi"])
    with pytest.raises(DatasetError, match="looks like mini-MIAS and BUSI"):
        open_collection(download)
    assert open_collection(download, "busi").name == "busi"


def test_the_folder_itself_may_be_given(tmp_path):
    download = laid(tmp_path / "Original Dataset", "Cancer/1.jpg")
    assert open_collection(download).name == "mastery"


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(PathError, match="does not exist"):
        Download.open(tmp_path / "nowhere")
    with pytest.raises(PathError, match="holds no file"):
        Download.open(tmp_path)
    with pytest.raises(DatasetError, match="looks like no data set that is known"):
        open_collection(laid(tmp_path, "scan.png", ".hidden/mdb001.pgm"))
    with pytest.raises(ConfigError, match="no data set is called 'inbrest'"):
        find_collection("inbrest")


def test_films_beside_masks_of_their_names_are_no_download(tmp_path):
    download = laid(tmp_path, "images/mdb001.png", "masks/mdb001.png")
    with pytest.raises(DatasetError, match=r"'mdb001' twice, images/mdb001\.png .* derive --masks"):
        open_collection(download).read(download)
