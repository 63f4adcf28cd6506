"""A small film with two lesions, and the tools that judge what is written about it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.data.images.overlay import draw_overlay
from flexunet.inference.cases import CaseReader
from flexunet.inference.outputs.dicom_objects.write import Prediction, write_objects
from flexunet.inference.outputs.lesions import measure_lesions

pytest.importorskip("highdicom")

MODEL = "0123456789abcdef" * 2
FILM = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)
GEOMETRY = {"ImagerPixelSpacing": [0.5, 0.25], "ImageLaterality": "L", "ViewPosition": "MLO"}


def run(name, *arguments):
    """What a tool says; the test is skipped where it is not installed."""
    tool = shutil.which(name)
    if tool is None:
        pytest.skip(f"{name} judges the objects (dicom3tools, DCMTK) and is not installed")
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def dciodvfy():
    """Errors that dicom3tools finds in a file: `dciodvfy(path)`."""

    def judge(path):
        said = run("dciodvfy", path)
        return [line for line in said.splitlines() if line.startswith(("Error", "Abort"))]

    return judge


@pytest.fixture
def dump():
    """A file as DCMTK prints it: `dump("dsrdump", "-Ec", path)`."""
    return run


@pytest.fixture
def mask():
    """A lesion of 3 x 4 pixels, one of 1 x 2, and one of class 2."""
    mask = np.zeros(FILM.shape, np.uint8)
    mask[5:8, 4:8] = 1
    mask[20, 10:12] = 1
    mask[30:32, 1:3] = 2
    return mask


@pytest.fixture
def write(write_dicom, tmp_path, mask):
    """Write the objects of a film: `write(report="measurements")`; where, and what came of it."""

    def write(predicted=mask, attributes=GEOMETRY, prepare=Path, between=Path, **rules):
        path = write_dicom(tmp_path / "film.dcm", FILM, BitsStored=12, **attributes)
        prepare(path)
        config = Config(dicom=rules)
        case = CaseReader(config, {path: path.name}).read(path)
        between(path)
        probabilities = np.zeros((*FILM.shape, 3), np.float32)
        probabilities[..., 1:] = 0.1
        probabilities[predicted == 1, 1] = 0.75
        probabilities[predicted == 2, 2] = 0.5
        prediction = Prediction(
            predicted,
            probabilities,
            measure_lesions(predicted, probabilities, case.spacing),
            draw_overlay(case.image, predicted),
        )
        names = ["mass", "calcification"]
        folder = tmp_path / "objects"
        return folder, write_objects(folder, "film", case, prediction, names, config.dicom, MODEL)

    return write
