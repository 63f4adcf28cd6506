"""The audit: look at every file of a data set once, and say what would make a test score untrue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flexunet.data.audit.drift import drift_findings, split_figures
from flexunet.data.audit.examine import Examined, examine_all
from flexunet.data.audit.files import take_inventory
from flexunet.data.audit.findings import AuditResult, Finding
from flexunet.data.audit.leak_findings import group_copies, leak_findings, leak_pairs
from flexunet.data.audit.mask_findings import mask_findings
from flexunet.data.audit.picture_findings import picture_findings
from flexunet.data.copies.find import CopyPair, compare_pictures
from flexunet.data.copies.fingerprint_file import FingerprintFile
from flexunet.data.copies.store import FingerprintStore
from flexunet.data.dataset.layouts import find_layout, no_images
from flexunet.data.dataset.listing import ListedImage
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks.reader import MaskReader
from flexunet.progress import Progress, silent


def audit_dataset(
    root: Path | str,
    *,
    masks: MaskReader | None = None,
    compare: bool = True,
    use_names: bool = True,
    jobs: int = 2,
    ray: str | None = None,
    progress: Progress = silent,
) -> AuditResult:
    """Audit a data set, with or without a manifest, with or without splits.

    Args:
        root: Folder in any layout that `layouts.find_layout` knows.
        masks: How masks are read; if left out, colours are guessed (black and white unless they clearly are
            not).
        compare: Whether the pictures are compared; names, manifest and file contents always are.
        use_names: Whether file names and manifest may tell which images are copies.
        jobs: Threads.
        ray: Address of a Ray cluster that reads and measures the files in place of threads; see
            `work_on_cluster`.
        progress: Told how far each stage is.

    Returns:
        The findings, and figures of each split.

    Raises:
        PathError: if there is no data set at `root`, or no image in it.
        DatasetError: if its manifest cannot be read.

    Examples:
        >>> audit = flexunet.audit_dataset("dataset")
        >>> audit.scores_hold
        True
    """
    inventory = take_inventory(root)
    if not inventory.entries:
        raise no_images(Path(root), find_layout(Path(root)))
    findings = list(inventory.findings)
    if masks is None:
        masks, guessed = guess_reader(
            [entry.mask for entry in inventory.entries if entry.mask], progress=progress
        )
        if guessed:
            remedy = "If they are wrong, give them with --rgb-map or --config."
            findings.append(Finding("colours-guessed", "note", (), guessed, remedy))
    if note := masks.note_on([entry.mask for entry in inventory.entries if entry.mask]):
        findings.append(
            Finding("colours-by-hue", "note", (), note, "Give the colours with --rgb-map or --config.")
        )
    if compare:
        examined, pairs = _examine_and_compare(inventory.entries, masks, jobs, ray, progress)
    else:
        examined, pairs = examine_all(inventory.entries, masks, jobs=jobs, ray=ray, progress=progress), []
    groups = group_copies(examined, pairs, use_names)
    findings += picture_findings(examined)
    findings += mask_findings(examined)
    findings += leak_findings(examined, groups)
    color_map = masks.color_map
    findings += drift_findings(examined, color_map.num_classes)
    if not inventory.has_masks:
        findings.append(
            Finding(
                "no-masks", "note", (), "there is no folder of masks; only images were audited.", "Nothing."
            )
        )
    figures = {
        "images": len(examined),
        "pictures": int(groups.labels.max()) + 1 if len(examined) else 0,
        "leak_pairs": leak_pairs(examined, groups),
        "compared": compare,
        "colors": {str(color): index for color, index in color_map.colors_to_class.items()},
    }
    return AuditResult(Path(root), findings, split_figures(examined, color_map.num_classes), figures, masks)


def _examine_and_compare(
    entries: Sequence[ListedImage], masks: MaskReader, jobs: int, ray: str | None, progress: Progress
) -> tuple[list[Examined], list[CopyPair]]:
    with FingerprintStore() as store, FingerprintFile() as prints:
        examined = examine_all(
            entries, masks, store=store, keep=prints.add, jobs=jobs, ray=ray, progress=progress
        )
        readable = [i for i, each in enumerate(examined) if each.digest]
        digests = [examined[i].digest for i in readable]
        found = compare_pictures(digests, prints, store, progress, jobs)
    return examined, [CopyPair(readable[pair.first], readable[pair.second], pair.match) for pair in found]
