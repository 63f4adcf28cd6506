"""CSAW-S: mammograms of women with cancer, with masks of the tumour and of eleven kinds of tissue.

Source: Matsoukas, C. et al. (2020), Adding seemingly uninformative labels helps in low data regimes,
    Proceedings of Machine Learning Research 119; arXiv 2008.00807.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from flexunet.data.annotations.shapes import ANNOTATED, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, MaskFiles, facts, joined
from flexunet.data.collections.download import Download

NAME = "csaw-s"
CANCER = "cancer"
# In the order of the authors' settings; where tissues overlap, the first one counts.
TISSUES = (
    "calcifications",
    "axillary_lymph_nodes",
    "thick_vessels",
    "foreign_object",
    "skin",
    "nipple",
    "text",
    "non-mammary_tissue",
    "pectoral_muscle",
    "mammary_gland",
    "unclassified",
)
ANNOTATORS = ("annotator_1", "annotator_2", "annotator_3")  # the first drew the training masks too
_FILE = (
    r"(?P<place>anonymized_dataset|annotator_\d)/\d{3}/(?P<film>(?P<patient>\d{3})_\d+)"
    r"(?:_(?P<label>[a-z_-]+))?\.png"
)


def read_csaw_s(download: Download, annotators: tuple[str, ...] = ANNOTATORS[:1]) -> Contents:
    """Films of both parts and the masks of some annotators, united; films to train on have those of one.

    The numbers of the test patients begin again: names and patients bear the part they come from.
    """
    films: dict[str, tuple[Path, str, str]] = {}
    masks: dict[str, list[MaskFiles]] = defaultdict(list)
    marked_by: dict[str, set[str]] = defaultdict(set)
    for file, match in download.matching(_FILE):
        part = "test" if "/test_data/" in f"/{match[0]}" else "train"
        name, path = f"{part}-{match['film']}", download.root / file
        if match["label"]:
            if part == "train" or match["place"] in annotators:
                masks[name].append(MaskFiles((path,), match["label"]))
                marked_by[name].add(ANNOTATORS[0] if part == "train" else match["place"])
        elif match["place"] == "anonymized_dataset":
            films[name] = path, f"{part}-{match['patient']}", part
    contents = Contents([])
    for name, (path, patient, part) in films.items():
        own = tuple(masks.get(name, ()))
        cancer = any(marked.label == CANCER for marked in own)
        columns = facts(
            dataset=NAME,
            patient=patient,
            finding=CANCER if cancer else "",
            pathology="malignant" if cancer else "",
            official_split=part,
            annotator=joined(marked_by[name]),
        )
        annotation = FilmAnnotation(
            ANNOTATED if cancer else UNMARKED,
            reason="" if cancer else "no cancer is marked, which does not make it normal: readers differ",
            columns=columns,
        )
        contents.films.append(Film(path, name, annotation, own))
    contents.without_outline(name for name in films if name not in masks)
    contents.without_film(name for name in masks if name not in films)
    return contents


ROW = Collection(
    NAME,
    "CSAW-S",
    "338 mammograms of women with cancer, test films marked by three readers",
    "a mask file a class: cancer and eleven kinds of tissue",
    "not found; see the record",
    "zenodo.org/record/4030660",
    _FILE,
    read_csaw_s,
    "anonymized_dataset/004/004_0.png and 004_0_cancer.png, test_data/annotator_1/...",
    {"films": 338, "patients": 173},
    (
        Erratum(
            "the numbers of test patients begin again: 004 of the test is not 004 of the training films",
            "the folders of the release",
        ),
        Erratum(
            "150 and 23 patients make 173, where the paper says 172",
            "the folders of the release; arXiv 2008.00807",
        ),
        Erratum(
            "three readers marked the test films and differ; annotator_1 is taken, another one or the union "
            "of all with --annotator",
            "test_data of the release",
        ),
    ),
    tissues=frozenset(TISSUES),
    on_top=(CANCER, *TISSUES),
    annotators=ANNOTATORS,
)
