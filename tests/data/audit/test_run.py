import json
import re
from pathlib import Path

import numpy as np
import pytest

from flexunet.data.audit import AuditResult, Finding, audit_dataset
from flexunet.data.audit.drift import ks_distance
from flexunet.data.audit.files import take_inventory
from flexunet.data.audit.kinds import KINDS
from flexunet.data.audit.report import write_report
from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.draw import draw_phantom
from flexunet.errors import PathError

BINARY = ColorMap.binary()
SIDE = 160


def put(root, split, name, seed, *, change=None, mask=None, level=0):
    """Write a phantom (or a change of it) into a split."""
    phantom = draw_phantom(seed, SIDE, SIDE, labels=False)
    image = phantom.image if change is None else change(phantom.image)
    image = np.clip(image.astype(int) + level * (image > 20), 0, 255).astype(np.uint8)
    write_image(root / split / "images" / f"{name}.png", np.ascontiguousarray(image))
    if mask is not False:
        chosen = phantom.mask if mask is None else mask
        chosen = chosen if change is None else change(chosen)
        write_mask(root / split / "masks" / f"{name}.png", np.ascontiguousarray(chosen), BINARY)


@pytest.fixture
def dataset(tmp_path):
    """Three splits of different phantoms; nothing wrong."""
    for seed, split in enumerate(["train"] * 6 + ["valid"] * 3 + ["test"] * 3):
        put(tmp_path, split, f"s{seed}", seed)
    return tmp_path


def codes(result):
    return {finding.code for finding in result.findings if finding.severity != "note"}


class TestLayouts:
    def test_splits_come_in_order(self, dataset):
        assert [pair.split for pair in find_layout(dataset)] == ["train", "valid", "test"]

    def test_class_folders_either_way_round(self, tmp_path):
        write_image(tmp_path / "a" / "Cancer" / "images" / "1.png", np.zeros((4, 4), np.uint8))
        write_image(tmp_path / "b" / "images" / "Cancer" / "1.png", np.zeros((4, 4), np.uint8))
        (tmp_path / "b" / "masks" / "Cancer").mkdir(parents=True)
        (one,), (other,) = find_layout(tmp_path / "a"), find_layout(tmp_path / "b")
        assert (one.class_name, other.class_name) == ("Cancer", "Cancer")
        assert one.masks is None
        assert other.masks == tmp_path / "b" / "masks" / "Cancer"

    def test_the_older_names(self, tmp_path):
        write_image(tmp_path / "train" / "image" / "1.png", np.zeros((4, 4), np.uint8))
        assert find_layout(tmp_path)[0].split == "train"

    def test_images_alone(self, tmp_path):
        write_image(tmp_path / "1.png", np.zeros((4, 4), np.uint8))
        assert find_layout(tmp_path)[0].images == tmp_path

    def test_nothing_there(self, tmp_path):
        with pytest.raises(PathError, match="is no data set"):
            find_layout(tmp_path)
        with pytest.raises(PathError, match="does not exist"):
            find_layout(tmp_path / "missing")


class TestFiles:
    def test_unpaired_files(self, dataset):
        (dataset / "train" / "masks" / "s0.png").unlink()
        (dataset / "test" / "images" / "s9.png").unlink()
        result = audit_dataset(dataset, compare=False)
        assert result.with_code("image-without-mask")[0].files == ("train/images/s0.png",)
        assert result.with_code("mask-without-image")[0].files == ("test/masks/s9.png",)
        assert result.exit_code == 1

    def test_a_common_ending_of_the_masks(self, tmp_path):
        for stem in ("A_1", "B_2"):
            write_image(tmp_path / "images" / f"{stem}.png", np.zeros((4, 4), np.uint8))
            write_image(tmp_path / "masks" / f"{stem}_LI.png", np.zeros((4, 4), np.uint8))
        inventory = take_inventory(tmp_path)
        assert not inventory.findings
        assert [entry.mask.name for entry in inventory.entries] == ["A_1_LI.png", "B_2_LI.png"]

    def test_unreadable_files(self, dataset):
        (dataset / "train" / "images" / "s0.png").write_bytes(b"")
        damaged = dataset / "test" / "images" / "s9.png"
        damaged.write_bytes(damaged.read_bytes()[:900])
        (dataset / "test" / "masks" / "s10.png").write_text("no picture")
        result = audit_dataset(dataset)
        found = {(f.code, f.severity, f.files[0]) for f in result.findings if f.code.startswith("unreadable")}
        assert found == {
            ("unreadable", "warning", "train/images/s0.png"),
            ("unreadable", "error", "test/images/s9.png"),
            ("unreadable-mask", "error", "test/images/s10.png"),
        }

    def test_other_sizes_and_depths(self, dataset):
        write_image(dataset / "train" / "images" / "s0.png", np.full((64, 64), 999, np.uint16))
        write_mask(dataset / "test" / "masks" / "s9.png", np.zeros((64, 64), np.uint8), BINARY)
        result = audit_dataset(dataset, compare=False)
        assert {"mask-size", "depth-varies", "blank-image"} <= codes(result)
        assert [finding.explanation for finding in result.with_code("mask-size")] == [
            "test/images/s9.png is 160 x 160, its mask 64 x 64 pixels.",  # of a split that is scored
            "train/images/s0.png is 64 x 64, its mask 160 x 160 pixels.",
        ]
        assert result.with_code("size-varies")[0].files == ("train/images/s0.png",)

    def test_films_of_12_bits_beside_films_of_16(self, dataset):
        rng = np.random.default_rng(0)
        for name, highest in (("s0", 4095), ("s1", 65535), ("s2", 4300)):
            values = rng.integers(0, highest, (SIDE, SIDE), np.uint16, endpoint=True)
            values[0, 0] = highest
            write_image(dataset / "train" / "images" / f"{name}.png", values)
        (found,) = audit_dataset(dataset, compare=False).with_code("range-varies")
        assert (found.severity, found.files) == ("warning", ("train/images/s0.png",))
        assert "1 of 3 16-bit images have no value above a sixteenth of the highest" in found.explanation

    def test_colours_off_the_map(self, dataset):
        picture = np.zeros((SIDE, SIDE), np.uint8)
        picture[50:100, 50:100] = 128
        write_image(dataset / "test" / "masks" / "s9.png", picture)
        result = audit_dataset(dataset, compare=False, masks=MaskReader(BINARY))
        assert result.with_code("mask-off-map")[0].severity == "error"

    def test_a_threshold_makes_classes_of_grey(self, dataset):
        picture = np.zeros((SIDE, SIDE), np.uint8)
        picture[50:100, 50:100] = 100
        write_image(dataset / "test" / "masks" / "s9.png", picture)
        result = audit_dataset(dataset, compare=False, masks=MaskReader(BINARY, threshold=50))
        assert not result.with_code("mask-off-map")
        assert not result.with_code("mask-antialiased")
        marked = result.splits["test"]["class_shares"][1] * 3 * SIDE**2
        plain = audit_dataset(dataset, compare=False, masks=MaskReader(BINARY))
        assert marked - plain.splits["test"]["class_shares"][1] * 3 * SIDE**2 == pytest.approx(2500, abs=1)

    def test_what_the_manifest_misses(self, dataset):
        manifest = Manifest()
        manifest.append({"file": "train/images/gone.png", "source": "gone"})
        manifest.write(dataset)
        assert codes(audit_dataset(dataset, compare=False)) == {"missing-file"}


class TestLeaks:
    def test_drafts_that_no_person_has_checked(self, dataset):
        rows = [
            {"file": f"{split}/images/s{seed}.png", "split": split, "source": f"s{seed}", "status": status}
            for split, seed, status in [
                ("train", 0, "draft"),
                ("train", 1, "corrected"),
                ("test", 9, "draft"),
            ]
        ]
        Manifest(rows).write(dataset)
        found = {f.files: f for f in audit_dataset(dataset, compare=False).with_code("mask-draft")}
        assert {files: f.severity for files, f in found.items()} == {
            ("test/images/s9.png",): "error",
            ("train/images/s0.png",): "warning",
        }
        assert found["test/images/s9.png",].explanation.startswith("1 of 3 masks in test are drafts")

    def test_nothing_wrong(self, dataset):
        result = audit_dataset(dataset)
        assert result.scores_hold
        assert result.figures["leak_pairs"] == 0
        assert result.summary()["counts"]["error"] == 0

    def test_a_mirrored_copy_under_another_name(self, dataset):
        put(dataset, "test", "new", 2, change=np.fliplr)
        result = audit_dataset(dataset)
        (leak,) = result.with_code("leak")
        assert set(leak.files) == {"train/images/s2.png", "test/images/new.png"}
        assert leak.figures["known_by"] == ["picture"]
        assert result.exit_code == 1
        assert audit_dataset(dataset, compare=False).scores_hold

    def test_names_of_the_published_tools(self, dataset):
        put(dataset, "test", "deformed_alpha_1300_sigmoid_8_s2", 77)  # another picture; only the name tells
        (leak,) = audit_dataset(dataset, compare=False).with_code("leak")
        assert leak.figures["known_by"] == ["name"]
        assert audit_dataset(dataset, compare=False, use_names=False).scores_hold

    def test_the_same_plain_name_is_no_leak(self, tmp_path):
        for seed, split in enumerate(("train", "test")):
            put(tmp_path, split, "1", seed)
        assert not audit_dataset(tmp_path).with_code("leak")

    def test_equal_files(self, dataset):
        source = dataset / "train" / "images" / "s1.png"
        (dataset / "valid" / "images" / "again.png").write_bytes(source.read_bytes())
        mask = dataset / "train" / "masks" / "s1.png"
        (dataset / "valid" / "masks" / "again.png").write_bytes(mask.read_bytes())
        (leak,) = audit_dataset(dataset, compare=False).with_code("leak")
        assert leak.figures == {"known_by": ["content"], "images": {"train": 1, "valid": 1}}

    def test_a_patient_in_two_splits(self, tmp_path):
        put(tmp_path, "train", "P9_L_CM_CC", 1)
        put(tmp_path, "test", "mirrored_P9_R_DM_MLO", 2)
        (finding,) = audit_dataset(tmp_path, compare=False).with_code("patient-in-two-splits")
        assert finding.figures == {"patient": "P9"}
        assert finding.severity == "error"

    def test_patients_of_a_manifest(self, dataset):
        manifest = Manifest()
        for path in sorted(dataset.rglob("images/*.png")):
            patient = "anna" if path.stem in ("s0", "s9") else path.stem
            manifest.append(
                {"file": path.relative_to(dataset).as_posix(), "source": path.stem, "patient": patient}
            )
        manifest.write(dataset)
        (finding,) = audit_dataset(dataset, compare=False).with_code("patient-in-two-splits")
        assert finding.files == ("train/images/s0.png", "test/images/s9.png")

    def test_unknown_patients_are_told(self, dataset):
        (finding,) = audit_dataset(dataset, compare=False).with_code("patients-unknown")
        assert finding.severity == "note"
        assert "the patient of 12 of 12 images is unknown" in finding.explanation

    def test_a_placeholder_is_no_patient_in_two_splits(self, dataset):
        manifest = Manifest()
        for path in sorted(dataset.rglob("images/*.png")):
            manifest.append({"file": path.relative_to(dataset).as_posix(), "patient": "anonymous"})
        manifest.write(dataset)
        result = audit_dataset(dataset, compare=False)
        assert not result.with_code("patient-in-two-splits")
        assert (
            "12 images have the patient 'anonymous'" in result.with_code("patients-doubtful")[0].explanation
        )

    def test_copies_inside_the_test_split(self, dataset):
        put(dataset, "test", "hflipped_s9", 9, change=np.fliplr)
        put(dataset, "train", "hflipped_s0", 0, change=np.fliplr)  # where copies belong
        result = audit_dataset(dataset)
        (finding,) = result.with_code("copies")
        assert finding.severity == "warning"
        assert set(finding.files) == {"test/images/s9.png", "test/images/hflipped_s9.png"}
        assert result.scores_hold


class TestDrift:
    def test_kolmogorov_smirnov_by_hand(self):
        # At 3 the first sample has 3 of 4 below or at, the second 0 of 4.
        distance, _ = ks_distance(np.array([1.0, 2, 3, 9]), np.array([4.0, 5, 6, 7]))
        assert distance == pytest.approx(0.75)

    def test_brighter_test_images(self, tmp_path):
        for seed in range(24):
            put(tmp_path, "train" if seed < 12 else "test", f"s{seed}", seed, level=0 if seed < 12 else 60)
        assert "intensity-drift" in codes(audit_dataset(tmp_path, compare=False))

    def test_lesions_in_test_alone(self, tmp_path):
        marked = np.zeros((SIDE, SIDE), np.uint8)
        for seed in range(24):
            breast = draw_phantom(seed, SIDE, SIDE, labels=False).breast
            mask = marked.copy()
            rows, columns = np.nonzero(breast)
            middle = len(rows) // 2
            if seed >= 12 or seed < 2:
                mask[rows[middle] - 3 : rows[middle] + 3, columns[middle] - 3 : columns[middle] + 3] = 1
            put(tmp_path, "train" if seed < 12 else "test", f"s{seed}", seed, mask=mask)
        assert "balance-drift" in codes(audit_dataset(tmp_path, compare=False))

    def test_no_lesion_to_score(self, dataset):
        for path in (dataset / "test" / "masks").iterdir():
            write_mask(path, np.zeros((SIDE, SIDE), np.uint8), BINARY)
        result = audit_dataset(dataset, compare=False)
        assert result.with_code("no-lesion")[0].severity == "error"

    def test_figures_of_the_splits(self, dataset):
        splits = audit_dataset(dataset, compare=False).splits
        assert [splits[name]["images"] for name in ("train", "valid", "test")] == [6, 3, 3]
        assert sum(splits["train"]["class_shares"]) == pytest.approx(1)


class TestResult:
    def result(self, *severities):
        findings = [Finding("leak", severity, ("a",), "b", "c") for severity in severities]
        return AuditResult("root", findings, {}, {})

    def test_errors_come_first_and_decide_the_exit_code(self):
        result = self.result("note", "error", "warning")
        assert [finding.severity for finding in result.findings] == ["error", "warning", "note"]
        assert result.exit_code == 1
        assert self.result("note", "warning").exit_code == 0

    def test_the_document_is_json(self, dataset):
        result = audit_dataset(dataset)
        document = json.loads(json.dumps(result.document()))
        assert document["scores_hold"] is True
        assert document["leak_pairs"] == 0
        assert document["untrue"] == []


class TestReport:
    def test_one_file_that_loads_nothing(self, dataset):
        put(dataset, "test", "new", 2, change=np.fliplr)
        page = write_report(audit_dataset(dataset), dataset / "out" / "audit.html").read_text()
        assert "One picture in two splits" in page
        assert page.count('<img src="data:image/jpeg;base64,') >= 2
        assert not re.search(r"(src|href)=\"(?!data:|#)", page)
        assert "<script" not in page

    def test_what_a_killed_run_left_is_swept(self, dataset, tmp_path, left_by_a_killed_process):
        left_by_a_killed_process(tmp_path / "out" / "audit.html")
        write_report(audit_dataset(dataset), tmp_path / "out" / "audit.html")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["audit.html"]

    def test_names_cannot_inject_anything(self, tmp_path):
        put(tmp_path, "test", "<b>x", 1, mask=False)
        put(tmp_path, "train", "y", 2)
        result = audit_dataset(tmp_path, compare=False)
        page = write_report(result, tmp_path / "audit.html").read_text()
        assert "<b>x" not in page
        assert "&lt;b&gt;x" in page

    def test_what_is_not_known_is_said_beside_the_verdict(self, tmp_path):
        for seed, split in ((1, "train"), (2, "test")):
            put(tmp_path, split, f"film{seed}", seed)
        result = audit_dataset(tmp_path, compare=False)
        page = write_report(result, tmp_path / "audit.html").read_text()
        verdict = page.split('<section class="verdict')[1].split("</section>")[0]
        assert "whether one person is in two splits, for 2 images without a patient" in verdict
        assert "whether a picture is there twice, for none were compared" in verdict
        (tmp_path / "manifest.csv").write_text(
            "file,mask,split,patient\n"
            "train/images/film1.png,train/masks/film1.png,train,a\n"
            "test/images/film2.png,test/masks/film2.png,test,b\n"
        )
        known = write_report(audit_dataset(tmp_path), tmp_path / "audit.html").read_text()
        assert "Not known" not in known

    def test_a_finding_without_pictures_is_read_without_a_click(self, tmp_path):
        put(tmp_path, "train", "film1", 1)
        page = write_report(audit_dataset(tmp_path, compare=False), tmp_path / "audit.html").read_text()
        section = page.split('id="note-patients-unknown"')[1].split("</section>")[0]
        assert "the patient of 1 of 1 images is unknown" in section.split("<details>")[0]
        assert "<img" not in section
        assert "train/images/film1.png" in section

    def test_every_kind_of_finding_is_explained(self):
        import flexunet.data.audit as audit

        text = "".join(path.read_text() for path in Path(audit.__file__).parent.glob("*.py"))
        used = set(re.findall(r'(?:Finding|_unpaired|_mixed)\(\s*(?:read,\s*)?"([a-z-]+)"', text))
        assert used <= set(KINDS)
        assert len(used) > 15


def test_a_set_without_an_image_has_no_verdict(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(PathError, match="holds no image"):
        audit_dataset(tmp_path)


def test_rows_of_a_manifest_that_lack_values_are_said(dataset):
    (dataset / "manifest.csv").write_text("file,mask,split,patient\ntrain/images/s0.png,train/masks/s0.png\n")
    (found,) = audit_dataset(dataset, compare=False).with_code("manifest-doubtful")
    assert (found.severity, "manifest.csv, line 2: fewer values" in found.explanation) == ("warning", True)
