"""The page of a comparison: which of two runs scores higher, as far as the evidence goes."""

from __future__ import annotations

from pathlib import Path

from flexunet.evaluation.charts.comparison import differences, image_by_image
from flexunet.evaluation.report.page import breakable, environment, number
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import Pair
from flexunet.evaluation.summary.verdict import compared_in_words, left_out_in_words
from flexunet.evaluation.tables.document import Comparison
from flexunet.files import write_text
from flexunet.run_folder import COMPARISON
from flexunet.version import __version__


def write_comparison(folder: Path, comparison: Comparison, pair: Pair, rules: ScoringRules) -> Path:
    """Write the page; it appears whole or not at all.

    Args:
        folder: Where; made if missing.
        comparison: The comparison.
        pair: The two evaluations that were compared.
        rules: Bootstrap settings.

    Returns:
        Its path.
    """
    better, sentence = compared_in_words(comparison, pair.patients_known)
    path = folder / COMPARISON
    page = (
        environment()
        .get_template("comparison.html.jinja")
        .render(
            comparison=comparison,
            better=better,
            sentence=sentence,
            left_out=left_out_in_words(comparison),
            patients_known=pair.patients_known,
            folders=pair.folders,
            rules=rules,
            differences=differences(comparison),
            images=image_by_image(*pair.tables, pair.names),
            number=number,
            breakable=breakable,
            version=__version__,
        )
    )
    write_text(path, page)
    return path
