"""A parity report as a page to read."""

from __future__ import annotations

from typing import Any


def parity_table(report: dict[str, Any]) -> str:
    """The report in Markdown."""
    dice, pooled = report["dice_per_image_mean"], report["dice_pooled"]
    kept = report["kept_in_floating_point"]
    rows = [
        ("dice_per_image_mean, run", _figure(dice["run"])),
        ("dice_per_image_mean, export", _figure(dice["export"])),
        ("dice_pooled, run", _figure(pooled["run"])),
        ("dice_pooled, export", _figure(pooled["export"])),
        ("larger change of Dice", f"{_figure(report['dice_change'])} (allowed: {report['tolerance']})"),
        ("pixels of the same class", f"{100 * report['agreement']:.4f} %"),
        ("identical masks", f"{report['identical_masks']} of {report['images']}"),
        (
            "largest difference of a probability",
            f"{report['largest_difference']:.2e} ({report['largest_difference_in']})",
        ),
        ("mean difference of a probability", f"{report['mean_difference']:.2e}"),
    ]
    if report["int8"]:
        rows.append(("layers kept in floating point", ", ".join(kept) if kept else "none"))
    numbers = "INT8, the rest " if report["int8"] else ""
    verdict = "Passed." if report["passed"] else "**Failed, and written all the same (--force).**"
    lines = [
        f"# Parity of the export to {report['form']}",
        "",
        f"The run's own model in float32 (Keras) against the export ({numbers}{report['precision']}), on "
        f"{report['images']} images ({report['images_are']}), Dice against the {report['truth']}. {verdict}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
    ]
    return "\n".join(lines) + "\n"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.5f}"
