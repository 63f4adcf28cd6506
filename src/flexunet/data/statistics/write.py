"""Write the statistics of a data set: the document, charts and contact sheets."""

from __future__ import annotations

import json
from pathlib import Path

from flexunet.data.statistics.charts import write_charts, write_sheets
from flexunet.data.statistics.count import DatasetStatistics
from flexunet.files import write_text


def write_statistics(statistics: DatasetStatistics, out: Path | str, *, most: int = 48) -> list[Path]:
    """Write `statistics.json`, the charts and, for each split, sheets of images, masks and overlays.

    Args:
        statistics: From `measure_dataset`.
        out: Folder; made if missing.
        most: Pictures on a sheet at most.

    Returns:
        The files written.
    """
    out = Path(out)
    write_text(out / "statistics.json", json.dumps(statistics.summary(), indent=2))
    return [out / "statistics.json", *write_charts(statistics, out), *write_sheets(statistics, out, most)]
