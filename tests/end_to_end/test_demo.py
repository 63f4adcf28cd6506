"""The demo in its quick form: the whole path from raw films to a report, by real commands."""

import re
import subprocess
import sys
from pathlib import Path

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
    # Test images are scored against what a person drew, not against drafts.
    assert {row["status"] for row in rows if row["split"] == "test"} == {"corrected"}
    assert "draft" in {row["status"] for row in rows if row["split"] == "train"}
    truth = {Path(row["file"]).name: row for row in Manifest.read(folder / "truth").rows}
    for row in rows:
        if row["split"] == "test":
            true = folder / "truth" / truth[Path(row["file"]).name]["mask"]
            assert (folder / "augmented" / row["mask"]).read_bytes() == true.read_bytes()
    assert "dice_per_image_mean" in (folder / "run-mammogram/evaluation/scores.json").read_text()
    assert re.search(r"<b>Dice (0\.\d+|not defined)", page)
    test_images = DatasetFolder(folder / "augmented").pairs("test")
    overlays = list((folder / "run-mammogram" / "predictions_overlay").iterdir())
    assert len(overlays) == len(test_images)

    (folder / "mammogram.toml").write_text("# Mine.\n")
    for taken, said in [(folder, "index.html"), (tmp_path, "not empty")]:
        again = subprocess.run(
            [sys.executable, "-m", "flexunet", "demo", str(taken), "--quick"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 2
        assert said in again.stderr
    assert (folder / "mammogram.toml").read_text() == "# Mine.\n"
