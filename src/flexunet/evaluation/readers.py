"""Several readers of the same images: how far they agree, which a model's scores are to be read against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

from flexunet.data.dataset.identity import Identity
from flexunet.data.dataset.matching import stem_of
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import PairingError
from flexunet.evaluation.mask_folders import pair_masks, score_pairs
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.readers import reader_agreement
from flexunet.evaluation.tables.readers import ReaderAgreement
from flexunet.evaluation.tables.rows import Tables
from flexunet.progress import Progress, silent


def score_readers(
    readers: Sequence[Path | str],
    prediction: Path | str,
    against_first: Tables,
    masks: MaskReader,
    rules: ScoringRules,
    identify: Callable[[Path], Identity],
    spacing: tuple[float, float] | None = None,
    jobs: int | None = None,
    progress: Progress = silent,
) -> ReaderAgreement:
    """Score a prediction against each reader, and each reader against each other.

    Args:
        readers: Folders of masks of the same names, one a reader; the first is the truth of the evaluation.
        prediction: Folder of predicted masks.
        against_first: Tables of the prediction against the first reader.
        masks: How masks are read.
        rules: The rules.
        identify: Whose image a mask of the first reader belongs to.
        spacing: Height and width of a pixel in mm, for images without one in the manifest.
        jobs: Threads.
        progress: Told how many images are scored.

    Returns:
        The agreement.

    Raises:
        PairingError: if two readers are one folder, or a reader lacks the mask of an image.
        MaskError: if a mask cannot be read, or has another size than that of another reader.
    """
    folders = [Path(reader) for reader in readers]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise PairingError(
            f"--readers: expected folders of different readers, found {', '.join(map(str, folders))}. "
            "--truth is the first reader; name the others."
        )
    known = {stem_of(pair.truth): pair.truth for pair in pair_masks(folders[0], prediction)}

    def tables(truth: Path, other: Path | str) -> Tables:
        return score_pairs(
            pair_masks(truth, other),
            masks,
            rules,
            lambda path: identify(known[stem_of(path)]),
            spacing=spacing,
            jobs=jobs,
            progress=progress,
            stage=f"reading {_short(folders, truth)}",
        )

    model = [against_first, *(tables(folder, prediction) for folder in folders[1:])]
    numbers = range(len(folders))
    between = {(one, two): tables(folders[one], folders[two]) for one, two in permutations(numbers, 2)}
    return reader_agreement([_short(folders, folder) for folder in folders], model, between, rules)


def _short(folders: Sequence[Path], folder: Path) -> str:
    """The last parts of a path, as many as tell it apart from the others."""
    parts = [one.resolve().parts for one in folders]
    own = folder.resolve().parts
    for count in range(1, max(map(len, parts))):
        ends = [one[-count:] for one in parts]
        if len(set(ends)) == len(ends):
            return "/".join(own[-count:])
    return str(folder)
