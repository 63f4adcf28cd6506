"""Whole data sets of phantoms: one ready for training, and one of raw films as hospitals deliver them.

write_phantom_dataset("phantoms", patients=24)       # train|valid|test/{images,masks} and manifest.csv
write_raw_phantoms("raw", patients=24)               # {Cancer,Non-Cancer}/*.jpg at 1920 x 1080
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from flexunet.data.dataset.manifest import Manifest, sha256_of
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.draw import SIDES, VIEWS, Phantom, draw_phantom
from flexunet.data.phantom.masses import Mass, draw_masses
from flexunet.errors import DatasetError, PathError
from flexunet.progress import Progress, silent
from flexunet.workers import work_in_processes

PUBLISHED_SPLITS: Mapping[str, float] = {"train": 0.80, "valid": 0.15, "test": 0.05}
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Film:
    """One film to draw: whose, which side and view, with which masses (still without a place)."""

    patient: str
    side: str
    view: str
    seed: int
    patient_seed: int
    masses: tuple[Mass, ...]

    @property
    def name(self) -> str:
        """File name without suffix, e.g. `P003_L_CC`."""
        return f"{self.patient}_{self.side}_{self.view}"

    def draw(self, width: int, height: int, labels: bool) -> Phantom:
        """Draw the film."""
        return draw_phantom(
            self.seed,
            width,
            height,
            lesions=self.masses,
            side=self.side,
            view=self.view,
            patient=self.patient_seed,
            labels=labels,
        )


def plan_films(
    patients: int,
    seed: int = 137,
    *,
    mass_share: float = 0.6,
    mass_contrast: float = 1.0,
    sides: Sequence[str] = SIDES,
    views: Sequence[str] = VIEWS,
) -> list[Film]:
    """Decide which films a data set has.

    The views of one breast show the same masses, and all films of a person share size, density and texture.

    Args:
        patients: Number of people.
        seed: Seed of everything.
        mass_share: Share of the breasts that hold a mass.
        mass_contrast: Factor on the brightness of the masses; above 1 they are easier to see.
        sides: Which breasts of each person.
        views: Which views of each breast.

    Returns:
        The films, by person, side and view.

    Raises:
        DatasetError: if there is nothing to draw.
    """
    if patients < 1 or not sides or not views:
        raise DatasetError(
            f"expected at least one patient, side and view, found {patients} patients, sides {list(sides)}, "
            f"views {list(views)}"
        )
    rng = np.random.default_rng([seed, 5])
    seeds = rng.integers(2**31, size=(patients, 1 + len(sides) * (1 + len(views))))
    digits = max(3, len(str(patients)))
    films = []
    start = rng.random()
    for person in range(patients):
        person_seed, *others = (int(value) for value in seeds[person])
        for number, side in enumerate(sides):
            # Additive recurrence with the golden ratio: any run of consecutive breasts has about the share.
            has_mass = (start + _GOLDEN * (person * len(sides) + number)) % 1 < mass_share
            breast_seed, *film_seeds = others[number * (1 + len(views)) : (number + 1) * (1 + len(views))]
            count = (2 if breast_seed % 8 == 0 else 1) if has_mass else 0
            masses = tuple(draw_masses(breast_seed, count, mass_contrast))
            films += [
                Film(f"P{person + 1:0{digits}d}", side, view, film_seed, person_seed, masses)
                for view, film_seed in zip(views, film_seeds, strict=True)
            ]
    return films


def write_phantom_dataset(
    root: Path | str,
    patients: int = 24,
    *,
    seed: int = 137,
    splits: Mapping[str, float] = PUBLISHED_SPLITS,
    width: int = 512,
    height: int = 512,
    mass_share: float = 0.6,
    mass_contrast: float = 1.0,
    sides: Sequence[str] = SIDES,
    views: Sequence[str] = VIEWS,
    labels: bool = True,
    jobs: int = 1,
    progress: Progress = silent,
) -> Manifest:
    """Write a data set of phantoms in the published layout, split by patient.

    Args:
        root: Folder of the data set; made if missing.
        patients: Number of people; each has one film per side and view.
        seed: Seed of everything: the same arguments write the same files.
        splits: Share of the patients in each split. Each split has at least one patient.
        width: Pixels.
        height: Pixels.
        mass_share: Share of the breasts that hold a mass.
        mass_contrast: Factor on the brightness of the masses; above 1 they are easier to see.
        sides: Which breasts of each person.
        views: Which views of each breast.
        labels: Whether view text and scanner edges are burned in.
        jobs: Processes that draw; the films are the same.
        progress: Told how many films are written.

    Returns:
        The manifest, as written to `manifest.csv`; beyond the standard columns it has `side`, `view`,
        `density`, `class` (`Cancer` or `Non-Cancer`) and `lesions`.

    Raises:
        DatasetError: if there are fewer patients than splits.
        PathError: if the folder already holds a data set.
    """
    root = Path(root)
    taken = [name for name in ("manifest.csv", *splits) if (root / name).exists()]
    if taken:
        raise PathError(
            f"{root} already holds {', '.join(taken)}. Choose an empty folder, or remove the old one."
        )
    films = plan_films(
        patients, seed, mass_share=mass_share, mass_contrast=mass_contrast, sides=sides, views=views
    )
    split_of = _split_patients(list(dict.fromkeys(film.patient for film in films)), splits, seed)
    write = partial(_write_pair, root=root, split_of=split_of, size=(width, height), labels=labels)
    manifest = _all_rows(films, work_in_processes(write, films, jobs), progress)
    manifest.write(root)
    return manifest


def write_raw_phantoms(
    root: Path | str,
    patients: int = 24,
    *,
    seed: int = 137,
    width: int = 1920,
    height: int = 1080,
    masks_dir: Path | str | None = None,
    mass_share: float = 0.6,
    mass_contrast: float = 1.0,
    sides: Sequence[str] = SIDES,
    views: Sequence[str] = VIEWS,
    labels: bool = True,
    jobs: int = 1,
    progress: Progress = silent,
) -> Manifest:
    """Write raw films as in Mammogram Mastery's `Original Dataset`: JPEG, black borders, a folder a class.

    Args:
        root: Gets `Cancer/` and `Non-Cancer/`.
        patients: Number of people; each has one film per side and view.
        seed: Seed of everything.
        width: Pixels.
        height: Pixels.
        masks_dir: Gets the true masks (PNG of the raw size) under the names of the films, and
            `manifest.csv` (the rows returned); `<root>_masks` beside `root` when left out.
        mass_share: Share of the breasts that hold a mass.
        mass_contrast: Factor on the brightness of the masses; above 1 they are easier to see.
        sides: Which breasts of each person.
        views: Which views of each breast.
        labels: Whether view text and scanner edges are burned in.
        jobs: Processes that draw; the films are the same.
        progress: Told how many films are written.

    Returns:
        One row a film: `file` and `mask` (relative to `root` and `masks_dir`), `source`, `patient`, `side`,
        `view`, `density`, `class`, `lesions`.

    Raises:
        PathError: if the folder already holds films.
    """
    root = Path(root)
    masks_dir = root.with_name(f"{root.name}_masks") if masks_dir is None else Path(masks_dir)
    taken = [name for name in ("Cancer", "Non-Cancer") if (root / name).exists()]
    if taken:
        raise PathError(
            f"{root} already holds {', '.join(taken)}. Choose an empty folder, or remove the old one."
        )
    films = plan_films(
        patients, seed, mass_share=mass_share, mass_contrast=mass_contrast, sides=sides, views=views
    )
    write = partial(_write_raw, root=root, masks_dir=masks_dir, size=(width, height), labels=labels)
    rows = _all_rows(films, work_in_processes(write, films, jobs), progress)
    rows.write(masks_dir)
    return rows


def _all_rows(films: Sequence[Film], rows: Iterable[dict[str, object]], progress: Progress) -> Manifest:
    """Rows of all films in the order of the films, whichever is drawn first."""
    written: dict[object, dict[str, object]] = {}
    for row in rows:
        written[row["source"]] = row
        progress("phantoms", len(written), len(films))
    manifest = Manifest()
    manifest.append(*(written[film.name] for film in films))
    return manifest


def _write_pair(
    film: Film, root: Path, split_of: Mapping[str, str], size: tuple[int, int], labels: bool
) -> dict[str, object]:
    """Draw and write a film, of `size` = (width, height), and its mask into its split; its row."""
    phantom = film.draw(*size, labels)
    split = split_of[film.patient]
    file, mask = f"{split}/images/{film.name}.png", f"{split}/masks/{film.name}.png"
    write_image(root / file, phantom.image)
    write_mask(root / mask, phantom.mask, ColorMap.binary())
    row = {"file": file, "mask": mask, "split": split, "source": film.name, "sha256": sha256_of(root / file)}
    return row | _describe(film, phantom)


def _write_raw(
    film: Film, root: Path, masks_dir: Path, size: tuple[int, int], labels: bool
) -> dict[str, object]:
    """Draw and write one raw film, of `size` = (width, height), and its mask; its row."""
    width, height = size
    rng = np.random.default_rng([film.seed, 6])
    film_height = height - round(height * rng.uniform(0.0, 0.06))
    film_width = min(round(film_height * rng.uniform(0.72, 0.85)), width)
    phantom = film.draw(film_width, film_height, labels)
    row = _describe(film, phantom)
    image, mask = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    top, left = (height - film_height) // 2, (width - film_width) // 2
    window = slice(top, top + film_height), slice(left, left + film_width)
    image[window], mask[window] = phantom.image, phantom.mask
    file = f"{row['class']}/{film.name}.jpg"
    write_image(root / file, np.repeat(image[..., None], 3, axis=2), quality=92)
    write_mask(masks_dir / f"{film.name}.png", mask, ColorMap.binary())
    return {"file": file, "mask": f"{film.name}.png", "source": film.name, **row}


def _describe(film: Film, phantom: Phantom) -> dict[str, object]:
    return {
        "patient": film.patient,
        "side": film.side,
        "view": film.view,
        "density": phantom.density,
        "class": "Cancer" if phantom.mask.any() else "Non-Cancer",
        "lesions": len(phantom.lesions),
    }


def _split_patients(patients: list[str], splits: Mapping[str, float], seed: int) -> dict[str, str]:
    """Deal the patients to the splits; each split gets one at least, the rest by share."""
    wanted = {name: share for name, share in splits.items() if share > 0}
    if len(patients) < len(wanted):
        raise DatasetError(
            f"{len(patients)} patients cannot fill {len(wanted)} splits ({', '.join(wanted)}). Ask for at "
            f"least {len(wanted)}."
        )
    total = sum(wanted.values())
    names = list(wanted)
    counts = dict.fromkeys(names, 1)
    while sum(counts.values()) < len(patients):
        lacking = max(names, key=lambda name: wanted[name] / total * len(patients) - counts[name])
        counts[lacking] += 1
    shuffled = np.random.default_rng([seed, 7]).permutation(patients)
    dealt: Iterator[str] = (name for name in names for _ in range(counts[name]))
    return {str(patient): name for patient, name in zip(shuffled, dealt, strict=True)}
