"""The demo in its quick form: the whole path from raw films to a report, by real commands."""

import re
import subprocess
import sys

from flexunet.data.dataset.folder import DatasetFolder
from flexunet.data.dataset.manifest import Manifest


def test_the_demo_goes_the_whole_path_and_names_what_to_look_at(tmp_path):
    folder = tmp_path / "demo"
    answer = subprocess.run(
        [sys.executable, "-m", "flexunet", "demo", str(folder), "--quick"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    shown = answer.stdout.replace("\n", "")
    page = (folder / "index.html").read_text()
    assert "index.html" in shown
    for link in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert (folder / link).exists(), link
    for path in (
        "run-mammogram/evaluation/report.html",
        "run-mammogram/predictions_overlay",
        "run-mammogram/eval/train_losses.png",
        "run-mammogram/epoch_change_infer",
        "augmented/audit/audit.html",
        "mammogram.toml",
    ):
        assert (folder / path).exists()
        assert path in shown
        assert f'href="{path}"' in page

    # No patient in two splits, and copies of training images only.
    rows = Manifest.read(folder / "augmented").rows
    splits_of_patient = {}
    for row in rows:
        splits_of_patient.setdefault(row["patient"], set()).add(row["split"])
    assert len(splits_of_patient) == 4
    assert all(len(splits) == 1 for splits in splits_of_patient.values())
    assert {row["split"] for row in rows if row["operation"]} == {"train"}
    test_images = DatasetFolder(folder / "augmented").pairs("test")
    overlays = list((folder / "run-mammogram" / "predictions_overlay").iterdir())
    assert len(overlays) == len(test_images)

    again = subprocess.run(
        [sys.executable, "-m", "flexunet", "demo", str(tmp_path), "--quick"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 2
    assert "not empty" in again.stderr
