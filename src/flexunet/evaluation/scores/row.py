"""What a score is: one row says its name, label, unit, direction, definition, source, and how it is computed.

The rows stand beside the functions that compute them (pixels, surface, lesion_counts, froc, image_level) and
are gathered in `registry`. Tables, CSV columns, scores.json, its schema, the report, the model card,
comparisons, subgroups and the table of docs/scores-schema.md loop over them: to add a score is to add a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.rules import ScoringRules

Values = NDArray[np.float64]
Place = Literal["console", "classes", "headline", "card", "tiles", "comparison", "readers"]
"""Where a score is shown beside scores.json and the report's table, which hold all of them: in the console's
main table and its table by class, by subgroup and fold, on the model card, at the head of the report, in the
comparison of two runs, and in that with several readers."""
Kind = Literal["mean", "median", "pooled"]


@dataclass(frozen=True)
class Summary:
    """How the scores of images become one score of a set.

    Attributes:
        kind: `mean` or `median` over images, or `pooled`: pixels of all images counted first.
        places: Where the score of the set is shown.
    """

    kind: Kind
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class ScoreRow:
    """What every score says of itself.

    Attributes:
        name: Its name in code.
        label: Its name for people.
        better: Whether a good model has it high or low.
        definition: What it is, in a sentence.
        undefined: Where it does not exist.
        source: Who defined it; empty for plain counts.
        unit: `px`, `mm`, or empty for a share.
        digits: Decimals that are printed.
        short: Head of a narrow column; empty: the key.
    """

    name: str
    label: str
    better: Literal["higher", "lower"]
    definition: str
    undefined: str
    source: str = ""
    unit: str = ""
    digits: int = 3
    short: str = ""

    @property
    def bounded(self) -> bool:
        """Whether it lies between 0 and 1: a share, or an overlap."""
        return self.better == "higher" and not self.unit


@dataclass(frozen=True)
class ImageScore(ScoreRow):
    """A score of one class in one image; of an image it is the mean over the classes that occur.

    Attributes:
        column: Column of per_image.csv, and what the keys of scores.json begin with.
        summaries: Scores of a set that are made of it.
        terms: Numerator and denominator from correct, true and predicted pixels; None for boundary scores.
        surface: From the `Boundaries` of truth and prediction; None for scores of pixels.
        one_sided: Value where the class is in truth or prediction alone; NaN: it does not exist there.
        empty_rule: Whether the empty-mask rule applies to it.
    """

    column: str = ""
    summaries: tuple[Summary, ...] = ()
    terms: Callable[[NDArray, NDArray, NDArray], tuple[NDArray, NDArray]] | None = None
    surface: Callable[[Any, ScoringRules], float] | None = None
    one_sided: float = np.nan
    empty_rule: bool = False


@dataclass(frozen=True)
class LesionScore(ScoreRow):
    """A score of a set of images that counts lesions or predicted regions.

    Attributes:
        per: What it is counted over.
        places: Where it is shown.
        terms: From `LesionCounts`: numerator and denominator of each image, `(N,)`; None where they are
            made of confidences.
        proportion: Whether it is a share of units that are found or not, whose interval must not vanish
            at 0 and 1.
        by_confidence: From a `DetectionTable` and weights `(B, N)` of images to `(B,)`; needs probabilities.
    """

    per: Literal["lesions", "regions", "lesions and regions", "images"] = "lesions"
    places: tuple[Place, ...] = ()
    proportion: bool = False
    terms: Callable[[Any], tuple[NDArray, NDArray]] | None = None
    by_confidence: Callable[[Any, Values], Values] | None = None
