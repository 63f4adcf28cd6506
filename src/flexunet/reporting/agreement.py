"""How far the readers of a review desk agree, read from its database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flexunet.errors import PathError
from flexunet.review.desk import Desk
from flexunet.review.settings import DATABASE, DeskSettings
from flexunet.review.sources.open import Given


def read_agreement(reviewed: Path) -> dict[str, Any]:
    """Agreement of the readers of what `flexunet review` laid open.

    Args:
        reviewed: What was reviewed, as `flexunet review` was given it.

    Raises:
        PathError: if it was never reviewed.
    """
    settings = DeskSettings(Given(reviewed))
    if not (settings.own_folder / DATABASE).is_file():
        raise PathError(
            f"--review {reviewed}: expected what `flexunet review` was given, with its desk in "
            f"{settings.own_folder}; found none."
        )
    desk = Desk(settings)
    try:
        return desk.agreement.report()
    finally:
        desk.close()
