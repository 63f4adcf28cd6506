"""What `flexunet derive` says at its end, and its contact sheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.cli.console import console, error_console

if TYPE_CHECKING:
    from flexunet.data.derive.run import DeriveReport
    from flexunet.data.images.color_map import ColorMap


def write_sheet(report: DeriveReport, out: Path, color_map: ColorMap) -> Path | None:
    """Write some images with their masks as one picture; None where there are none."""
    from flexunet.data.images.contact_sheet import contact_sheet, overlays, spread
    from flexunet.data.images.files.write import write_image
    from flexunet.data.images.masks.reader import MaskReader

    rows = report.manifest.rows
    if not rows:
        return None
    chosen = [rows[position] for position in spread(len(rows), 48)]
    files = [(row["source"], out / row["file"], out / row["mask"]) for row in chosen]
    write_image(out / "contact_sheet.png", contact_sheet(overlays(files, MaskReader(color_map))))
    return out / "contact_sheet.png"


def print_report(report: DeriveReport, out: Path, sheet: Path | None) -> None:
    """How many films became images, how many wait for a person, and where to look."""
    counts = report.counts
    console.print(
        f"{counts['labelled']} of {counts['films']} films are images with masks in {out} "
        f"({counts['reused']} were finished before)",
        highlight=False,
        soft_wrap=True,
    )
    if counts["to_review"]:
        console.print(
            f"{counts['to_review']} must be checked by a person, in {out / 'to_review'}",
            highlight=False,
            soft_wrap=True,
        )
    if sheet:
        console.print(f"look at {sheet}", highlight=False, soft_wrap=True)


def print_problems(report: DeriveReport, out: Path) -> None:
    """Films that became no image, lesions that were cut, and masks without a film."""

    def say(text: str) -> None:
        error_console.print(text, highlight=False, soft_wrap=True)

    for state, verb in (("excluded", "excluded"), ("failed", "not derived")):
        rows = report.of_state(state)
        for row in rows[:20]:
            say(f"{verb}: {row['raw_file']}: {row['reason']}")
        if len(rows) > 20:
            say(f"{verb}: {len(rows) - 20} more, all in {out / 'excluded.csv'}")
    for row in report.lost_on_tissue[:20]:
        say(f"check the crop: {row['source']} lost {row['lost_on_tissue']} lesion pixels that lie on tissue")
    if report.unused_masks:
        names = ", ".join(path.name for path in report.unused_masks[:5])
        say(f"note: {len(report.unused_masks)} masks belong to no film: {names}")
