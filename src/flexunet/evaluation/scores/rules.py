"""The rules that scores are computed by: stated in one place, switchable, and printed with every result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from flexunet.errors import ConfigError

EMPTY_MASKS = ("exclude", "one", "zero")
LESION_MATCHES = ("iou", "overlap", "centre")
CANDIDATE_SCORES = ("mean", "max")


@dataclass(frozen=True)
class ScoringRules:
    """What counts as what; the names are those of the `[evaluate]` section.

    Attributes:
        empty_masks: Score of an image (or class) that is in neither truth nor prediction: `exclude`
            leaves it out of the mean, `one` counts it as 1, `zero` as 0.
        lesion_match: When a candidate may stand for a lesion: `iou` (intersection over union of at least
            `lesion_iou`), `overlap` (any common pixel) or `centre` (its centre of mass lies in the lesion).
        lesion_iou: Least intersection over union of a match.
        connectivity: Neighbours, 4 or 8, that join pixels into one lesion.
        min_lesion_pixels: Smaller lesions are left out, in truth and prediction alike.
        surface_scores: Whether surface distances are measured.
        boundary_tolerance: Distance in pixels up to which two boundaries agree (boundary Dice, and surface
            Dice where spacing is unknown).
        surface_tolerance_mm: Distance in mm up to which two contours agree (surface Dice).
        candidate_threshold: Where probabilities exist, components above this probability that hold no
            predicted pixel become further, doubtful candidates, so that the FROC curve has a right end.
        candidate_score: Confidence of a candidate: `mean` or `max` probability over its pixels.
        size_bands_px: Edges of the lesion size bands, equivalent diameter in pixels.
        size_bands_mm: The same in mm (T1a/b, T1c, T2, T3 of the TNM system), used where spacing is known.
        calibration_bins: Bins of the reliability curve.
        bootstrap_samples: Bootstrap replicates, and random permutations of a comparison; 0: no intervals.
        confidence: Level of the intervals.
        seed: Seed of both.

    Source: IoU 0.1 follows Baumgartner et al. (2021), nnDetection, MICCAI; mammography papers also use 0.2
    (Dhungel, Carneiro, Bradley 2017, Medical Image Analysis 37, 114-128).
    """

    empty_masks: str = "exclude"
    lesion_match: str = "iou"
    lesion_iou: float = 0.1
    connectivity: int = 8
    min_lesion_pixels: int = 0
    surface_scores: bool = True
    boundary_tolerance: float = 2.0
    surface_tolerance_mm: float = 1.0
    candidate_threshold: float = 0.1
    candidate_score: str = "mean"
    size_bands_px: tuple[float, ...] = (16.0, 32.0, 64.0)
    size_bands_mm: tuple[float, ...] = (10.0, 20.0, 50.0)
    calibration_bins: int = 15
    bootstrap_samples: int = 2000
    confidence: float = 0.95
    seed: int = 137

    def __post_init__(self) -> None:
        _one_of("empty_masks", self.empty_masks, EMPTY_MASKS)
        _one_of("lesion_match", self.lesion_match, LESION_MATCHES)
        _one_of("candidate_score", self.candidate_score, CANDIDATE_SCORES)
        _one_of("connectivity", self.connectivity, (4, 8))
        _between("lesion_iou", self.lesion_iou, 0.0, 1.0)
        _between("candidate_threshold", self.candidate_threshold, 0.0, 1.0)
        _between("confidence", self.confidence, 0.01, 0.9999)
        _between("bootstrap_samples", self.bootstrap_samples, 0, 1_000_000)
        _between("boundary_tolerance", self.boundary_tolerance, 0.0, 1e6)
        _between("surface_tolerance_mm", self.surface_tolerance_mm, 0.0, 1e6)
        _between("calibration_bins", self.calibration_bins, 2, 1000)

    @classmethod
    def from_section(cls, section: Any, **changes: Any) -> ScoringRules:
        """Rules from the `[evaluate]` section of a configuration; keys that it lacks keep their default.

        Args:
            section: Any object with attributes of the names above.
            changes: Values that take the place of the section's; None changes nothing.

        Returns:
            The rules.

        Raises:
            ConfigError: if a value is not allowed.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = changes.get(field.name)
            value = getattr(section, field.name, None) if value is None else value
            if value is not None:
                values[field.name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)

    def document(self) -> dict[str, Any]:
        """The rules as plain values for scores.json."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


def _one_of(key: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        choices = ", ".join(str(choice) for choice in allowed)
        raise ConfigError(f"[evaluate] {key} must be one of {choices}; found {value!r}.")


def _between(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"[evaluate] {key} must lie between {low:g} and {high:g}; found {value!r}.")
