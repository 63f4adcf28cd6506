import csv
import json
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.dataset.manifest import Manifest, sha256_of
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.draw import draw_phantom
from flexunet.data.split.folds import plan_folds, write_folds
from flexunet.data.split.groups import deal_groups
from flexunet.data.split.plan import check_ratios, notes_of, parse_ratios, plan_split
from flexunet.data.split.split_images import collect_items, connected_labels, group_items, stratum_of_groups
from flexunet.data.split.write import digest_of_manifests, manifest_of, write_split
from flexunet.errors import ConfigError, DatasetError, PairingError, PathError, RunLockedError

BINARY = ColorMap.binary()


def write_pairs(folder, names, *, marked=lambda number: number % 7):
    """Small noise images, all different, with `marked(number)` rows of lesion in a mask of 8 x 8."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        mask = np.zeros((8, 8), np.uint8)
        mask[: marked(number)] = 1
        write_image(folder / "images" / f"{name}.png", rng.integers(0, 255, (8, 8), np.uint8))
        write_mask(folder / "masks" / f"{name}.png", mask, BINARY)
    return folder


def splits_by(plan, key):
    found = defaultdict(set)
    for item, split in zip(plan.items, plan.split, strict=True):
        found[key(item)].add(split)
    return found


class TestDealing:
    def test_twenty_equal_groups_meet_the_ratios_exactly(self):
        split = deal_groups(np.ones(20), ["all"] * 20, [0.8, 0.15, 0.05], seed=1)
        assert np.bincount(split).tolist() == [16, 3, 1]

    def test_strata_are_spread_evenly(self):
        strata = ["a"] * 20 + ["b"] * 10
        split = deal_groups(np.ones(30), strata, [0.5, 0.5], seed=3)
        assert np.bincount(split[:20]).tolist() == [10, 10]
        assert np.bincount(split[20:]).tolist() == [5, 5]

    @settings(max_examples=60)
    @given(
        st.lists(st.integers(1, 9), min_size=3, max_size=40),
        st.integers(0, 5),
        st.integers(0, 99),
    )
    def test_every_split_gets_a_group_and_no_share_is_off_by_more_than_the_largest_group(
        self, sizes, strata, seed
    ):
        rng = np.random.default_rng(seed)
        names = [str(n) for n in rng.integers(0, strata + 1, len(sizes))]
        split = deal_groups(np.array(sizes), names, [0.8, 0.15, 0.05], seed)
        have = np.bincount(split, sizes, 3)
        assert (np.bincount(split, minlength=3) > 0).all()
        # Two groups: one that overshoots, one that had to fill an empty split.
        assert (np.abs(have - sum(sizes) * np.array([0.8, 0.15, 0.05])) <= 2 * max(sizes)).all()

    def test_the_seed_decides(self):
        args = np.ones(40), ["all"] * 40, [0.5, 0.5]
        assert (deal_groups(*args, seed=1) == deal_groups(*args, seed=1)).all()
        assert (deal_groups(*args, seed=1) != deal_groups(*args, seed=2)).any()

    def test_fewer_groups_than_splits(self):
        with pytest.raises(DatasetError, match=r"2 groups cannot fill 3 splits \(train, valid, test\)"):
            deal_groups(np.array([5, 6]), ["a", "a"], [0.8, 0.15, 0.05], 0, ("train", "valid", "test"))


class TestRatios:
    def test_shares_may_be_percentages_and_a_split_may_be_left_out(self):
        assert check_ratios([80, 15, 5]) == {"train": 0.8, "valid": 0.15, "test": 0.05}
        assert check_ratios([0.9, 0.1]) == {"train": 0.9, "valid": 0.1}
        assert check_ratios([0.8, 0, 0.2]) == {"train": 0.8, "test": 0.2}

    @pytest.mark.parametrize("text", ["0.8,0.3,0.1", "0.8", "1.2,-0.2", "0.25,0.25,0.25,0.25", "a,b"])
    def test_what_are_no_shares(self, text):
        with pytest.raises(ConfigError, match=r"0\.8,0\.15,0\.05"):
            check_ratios(parse_ratios(text))


class TestGroups:
    def test_copies_of_a_source_and_equal_files_are_one_group(self, tmp_path):
        root = write_pairs(tmp_path, ["1", "hflipped_1", "rotated_90_1", "2", "other"])
        (root / "images" / "other.png").write_bytes((root / "images" / "2.png").read_bytes())
        items = collect_items(root)
        group = dict(zip([item.name for item in items], group_items(items, "source"), strict=True))
        assert group["1"] == group["hflipped_1"] == group["rotated_90_1"]
        assert group["2"] == group["other"] != group["1"]
        assert len(set(group_items(items, "file"))) == 5

    def test_by_patient_joins_sources(self, tmp_path):
        items = collect_items(write_pairs(tmp_path, ["P1_L_CM_CC", "P1_R_DM_MLO", "P2_L_CM_CC"]))
        assert group_items(items, "source").tolist() == [0, 1, 2]
        assert group_items(items, "patient").tolist() == [0, 0, 1]

    def test_connected_labels_count_in_order_of_appearance(self):
        assert connected_labels(6, [(4, 1), (1, 5), (2, 3)]).tolist() == [0, 1, 2, 2, 1, 1]

    def test_lesion_area_strata(self, tmp_path):
        items = collect_items(
            write_pairs(tmp_path, [f"{n:02}" for n in range(9)], marked=lambda n: max(0, n - 1))
        )
        strata = stratum_of_groups(items, group_items(items, "source"), "lesion-area", MaskReader())
        # 0 and 1 have no lesion; seven areas make quarters of 2, 2, 2 and 1 groups.
        assert strata[:2] == ["no lesion"] * 2
        assert [name[-1] for name in strata[2:]] == list("1122334")

    def test_a_column_of_the_manifest(self, tmp_path):
        root = write_pairs(tmp_path, ["a", "b"])
        manifest = Manifest()
        for name, density in (("a", "D"), ("b", "")):
            manifest.append({"file": f"images/{name}.png", "source": name, "density": density})
        manifest.write(root)
        items = collect_items(root)
        groups = group_items(items, "source")
        assert stratum_of_groups(items, groups, "density", MaskReader()) == ["density D", "density (none)"]
        with pytest.raises(DatasetError, match=r"--stratify age: .* density"):
            stratum_of_groups(items, groups, "age", MaskReader())


class TestPlan:
    def test_copies_stay_together_whatever_the_seed(self, tmp_path):
        names = [f"{prefix}{n}" for n in range(12) for prefix in ("", "hflipped_", "sheared_0.2_")]
        root = write_pairs(tmp_path, names)
        for seed in range(5):
            plan = plan_split(root, seed=seed, look=False)
            assert all(
                len(splits) == 1 for splits in splits_by(plan, lambda item: item.identity.source).values()
            )
            assert sum(row.images for row in plan.table()) == 36

    def test_splitting_by_file_must_be_confirmed(self, tmp_path):
        root = write_pairs(tmp_path, ["1", "hflipped_1", "2", "3"])
        with pytest.raises(DatasetError, match="--i-accept-leakage"):
            plan_split(root, by="file")
        assert len(plan_split(root, by="file", accept_leakage=True, look=False).items) == 4

    def test_a_note_recommends_patients(self, tmp_path):
        names = [f"P{n}_{side}_CM_CC" for n in range(8) for side in "LR"]
        root = write_pairs(tmp_path, names)
        plan = plan_split(root, look=False, ratios=(0.5, 0.25, 0.25))
        assert any("8 patients for 16 sources" in note for note in notes_of(plan))
        plan = plan_split(root, look=False, ratios=(0.5, 0.25, 0.25), by="patient")
        assert not any("recommended" in note for note in notes_of(plan))
        assert all(
            len(splits) == 1 for splits in splits_by(plan, lambda item: item.identity.patient).values()
        )

    def test_a_deviation_is_told(self, tmp_path):
        names = [f"{prefix}{n}" for n in range(3) for prefix in ("", "hflipped_", "vflipped_")]
        notes = notes_of(plan_split(write_pairs(tmp_path, names), look=False))
        assert any("test has 3 images, 33.3% instead of 5.0%" in note for note in notes)

    def test_class_folders_with_the_same_names(self, tmp_path):
        for folder in ("Cancer", "Non-Cancer"):
            write_pairs(tmp_path / folder, ["IMG (1)", "IMG (2)", "IMG (3)"])
        (tmp_path / "Non-Cancer" / "images" / "IMG (1).png").unlink()
        with pytest.raises(PairingError, match="1 of 3 masks"):
            collect_items(tmp_path)
        (tmp_path / "Non-Cancer" / "masks" / "IMG (1).png").unlink()
        items = {item.name: item for item in collect_items(tmp_path)}
        assert set(items) == {
            "IMG (1)",
            "Cancer_IMG (2)",
            "Cancer_IMG (3)",
            "Non-Cancer_IMG (2)",
            "Non-Cancer_IMG (3)",
        }
        assert items["Cancer_IMG (2)"].identity.source != items["Non-Cancer_IMG (2)"].identity.source
        assert items["IMG (1)"].class_name == "Cancer"

    def test_images_without_masks(self, tmp_path):
        write_image(tmp_path / "images" / "a.png", np.zeros((4, 4), np.uint8))
        with pytest.raises(PairingError, match="no folder of masks"):
            plan_split(tmp_path)

    def test_one_picture_under_two_names_is_reported_or_kept_together(self, tmp_path):
        for n in range(6):
            phantom = draw_phantom(n, 256, 256, labels=False)
            image = phantom.image if n < 5 else draw_phantom(0, 256, 256, labels=False).image[:, ::-1]
            write_image(tmp_path / "images" / f"{n}.png", np.ascontiguousarray(image))
            write_mask(tmp_path / "masks" / f"{n}.png", phantom.mask, BINARY)
        options = {"ratios": (0.5, 0.5), "stratify": "none"}
        apart = next(
            plan
            for seed in range(20)
            if (plan := plan_split(tmp_path, seed=seed, **options)).split[0] != plan.split[5]
        )
        assert apart.copies == [(0, 5)]
        assert any("in more than one split" in note for note in notes_of(apart))
        for seed in range(3):
            together = plan_split(tmp_path, seed=seed, merge_copies=True, **options)
            assert together.split[0] == together.split[5]

    def test_patients_of_cdd_cesm(self, mammograms):
        plan = plan_split(mammograms / "cdd_cesm", by="patient", look=False, stratify="none")
        assert all(
            len(splits) == 1 for splits in splits_by(plan, lambda item: item.identity.patient).values()
        )
        assert all(abs(row.deviation) < 0.02 for row in plan.table())


class TestWriting:
    @pytest.fixture
    def plan(self, tmp_path):
        names = [f"{prefix}{n}" for n in range(10) for prefix in ("", "hflipped_")]
        return plan_split(write_pairs(tmp_path / "in", names), look=False, ratios=(0.6, 0.2, 0.2))

    def test_files_and_manifest(self, plan, tmp_path):
        manifest = write_split(plan, tmp_path / "out")
        read = Manifest.read(tmp_path / "out")
        assert len(read.rows) == len(manifest.rows) == 20
        for row in read.rows:
            assert row["file"].startswith(f"{row['split']}/images/")
            assert row["sha256"] == sha256_of(tmp_path / "out" / row["file"])
            assert (tmp_path / "out" / row["mask"]).is_file()
            assert row["operation"] == ("hflip" if "hflipped" in row["file"] else "")
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
            "manifest.csv",
            "test",
            "train",
            "valid",
        ]
        assert not list(tmp_path.glob(".*partial*"))

    def test_an_interrupted_run_goes_on(self, plan, tmp_path):
        class InterruptedRunError(Exception):
            pass

        def stop(stage, done, total, note=None):
            if done == 7:
                raise InterruptedRunError

        with pytest.raises(InterruptedRunError):
            write_split(plan, tmp_path / "out", progress=stop)
        assert not (tmp_path / "out").exists()
        (partial,) = tmp_path.glob(".out.*.partial")
        first = {path: path.stat().st_mtime_ns for path in partial.rglob("*.png")}
        assert len(first) == 14
        write_split(plan, tmp_path / "out")
        after = {
            p.relative_to(tmp_path / "out"): p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.png")
        }
        assert len(after) == 40
        assert all(after[path.relative_to(partial)] == time for path, time in first.items())

    def test_what_killed_runs_left_is_swept(self, plan, tmp_path, left_by_a_killed_process):
        (tmp_path / ".out.0123456789ab.partial" / "train").mkdir(parents=True)  # of another plan
        (tmp_path / ".outer.0123456789ab.partial").mkdir()  # of another folder
        key = digest_of_manifests([manifest_of(plan)])[:12]
        left_by_a_killed_process(tmp_path / f".out.{key}.partial" / "train" / "images" / "a.png")
        write_split(plan, tmp_path / "out")
        assert {path.name for path in tmp_path.iterdir()} == {"in", "out", ".outer.0123456789ab.partial"}
        assert not list((tmp_path / "out").rglob(".*"))

    def test_two_splits_at_once_do_not_mix(self, plan, tmp_path):
        def second(stage, done, total, note=None):
            if done == 7:
                with pytest.raises(RunLockedError, match=r"out is in use: process \d+ .* writes there"):
                    write_split(plan, tmp_path / "out")

        write_split(plan, tmp_path / "out", progress=second)
        assert len(list((tmp_path / "out").rglob("*.png"))) == 40

    def test_what_is_there_is_not_overwritten(self, plan, tmp_path):
        write_split(plan, tmp_path / "out")
        write_split(plan, tmp_path / "out")  # the same split again: nothing to do
        (tmp_path / "out" / "manifest.csv").write_text("file\n")
        with pytest.raises(DatasetError, match="something other than this split"):
            write_split(plan, tmp_path / "out")

    def test_links(self, plan, tmp_path):
        write_split(plan, tmp_path / "out", link=True)
        (linked,) = (tmp_path / "out").rglob("images/3.png")
        assert linked.samefile(tmp_path / "in" / "images" / "3.png")

    def test_a_folder_that_cannot_be_made(self, plan, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(PathError):
            write_split(plan, tmp_path / "file" / "out")

    def test_a_data_set_can_be_split_anew(self, plan, tmp_path):
        write_split(plan, tmp_path / "out")
        again = plan_split(tmp_path / "out", look=False, ratios=(0.5, 0.5), seed=4)
        write_split(again, tmp_path / "again")
        assert {item.sha256 for item in again.items} == {item.sha256 for item in plan.items}
        assert not (tmp_path / "again" / "test").exists()


class TestFolds:
    def test_every_image_is_tested_on_once(self, tmp_path):
        names = [f"{prefix}{n}" for n in range(12) for prefix in ("", "hflipped_")]
        plan = plan_split(write_pairs(tmp_path / "in", names), look=False)
        folds = plan_folds(plan, 4, (0.8, 0.15, 0.05))
        tested = np.array([[split == "test" for split in fold.split] for fold in folds.folds])
        assert (tested.sum(axis=0) == 1).all()
        for fold in folds.folds:
            assert all(
                len(splits) == 1 for splits in splits_by(fold, lambda item: item.identity.source).values()
            )
            assert set(fold.split) == {"train", "valid", "test"}
        manifests = write_folds(folds, tmp_path / "out")
        assert len(manifests) == 4
        assert len(Manifest.read(tmp_path / "out" / "fold_3").rows) == 24
        with (tmp_path / "out" / "folds.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == 24
        by_source = defaultdict(set)
        for row in rows:
            splits = tuple(row[f"fold_{number}"] for number in (1, 2, 3, 4))
            assert splits.count("test") == 1
            by_source[row["source"]].add(splits)
        assert all(len(found) == 1 for found in by_source.values())
        copies = list((tmp_path / "out").rglob("images/5.png"))
        assert len(copies) == 4
        assert all(path.samefile(copies[0]) for path in copies)  # one file on disk, four names

    def test_one_fold_is_none(self, tmp_path):
        plan = plan_split(write_pairs(tmp_path / "in", list("abcd")), look=False)
        with pytest.raises(ConfigError, match="expected 2 or more"):
            plan_folds(plan, 1, (0.8, 0.2))

    def test_more_folds_than_groups(self, tmp_path):
        plan = plan_split(write_pairs(tmp_path / "in", list("abcd")), look=False)
        with pytest.raises(DatasetError, match="cannot fill 9 splits"):
            plan_folds(plan, 9, (0.8, 0.2))


def test_parameters_of_the_input_survive(tmp_path):
    root = write_pairs(tmp_path / "in", ["a", "b", "c"])
    manifest = Manifest()
    manifest.append(
        {"file": "images/a.png", "source": "z", "patient": "7", "parameters": json.dumps({"k": 1})}
    )
    manifest.write(root)
    plan = plan_split(root, look=False)
    row = next(r for r in write_split(plan, tmp_path / "out").rows if r["file"].endswith("/a.png"))
    assert (row["source"], row["patient"], json.loads(row["parameters"])) == ("z", "7", {"k": 1})


class TestOfficial:
    """The publisher's split, by the column `official_split`."""

    @staticmethod
    def dataset(tmp_path, told, patients=None):
        names = [f"P{(patients or range(len(told)))[n]}_{n}" for n in range(len(told))]
        root = write_pairs(tmp_path, names)
        manifest = Manifest()
        for number, (name, split) in enumerate(zip(names, told, strict=True)):
            patient = f"P{(patients or range(len(told)))[number]}"
            manifest.append({"file": f"images/{name}.png", "patient": patient, "official_split": split})
        manifest.write(root)
        return root

    def test_test_images_stay_and_validation_images_come_from_the_training_images(self, tmp_path):
        told = ["train"] * 8 + ["test"] * 4
        root = self.dataset(tmp_path, told, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
        plan = plan_split(root, by="official", ratios=(0.6, 0.2, 0.2), look=False)
        split = dict(zip([item.name for item in plan.items], plan.split, strict=True))
        assert sorted(name for name in split if split[name] == "test") == ["P4_8", "P4_9", "P5_10", "P5_11"]
        assert sum(value == "valid" for value in split.values()) == 2
        assert len({name[:2] for name in split if split[name] == "valid"}) == 1  # one patient, whole
        assert any("has no validation images: 2 of" in note for note in notes_of(plan))
        assert all(row.deviation == 0 for row in plan.table())

    def test_a_split_with_validation_images_is_kept_as_it_is(self, tmp_path):
        told = ["train", "valid", "test", "train"]
        plan = plan_split(self.dataset(tmp_path, told), by="official", look=False)
        assert sorted(plan.split) == sorted(told)

    def test_a_patient_on_both_sides_is_refused_unless_accepted(self, tmp_path):
        root = self.dataset(tmp_path, ["train", "train", "test", "test"], [0, 1, 1, 2])
        with pytest.raises(DatasetError, match="divides 1 patient: P1"):
            plan_split(root, by="official", look=False)
        plan = plan_split(root, by="official", accept_leakage=True, ratios=(0.8, 0, 0.2), look=False)
        assert sorted(plan.split) == ["test", "test", "train", "train"]
        assert any("divides P1" in note for note in plan.notes)

    def test_without_an_official_split_there_is_none(self, tmp_path):
        root = self.dataset(tmp_path, ["train", "", "test"])
        with pytest.raises(DatasetError, match="1 image has no official_split"):
            plan_split(root, by="official", look=False)
