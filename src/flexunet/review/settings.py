"""How a desk is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import ConfigError
from flexunet.review.sources.open import Given
from flexunet.review.store.database import sqlite_url

if TYPE_CHECKING:
    from flexunet.config.schema import Config

DATABASE = "desk.sqlite"


@dataclass(frozen=True)
class DeskSettings:
    """How a desk is opened.

    Attributes:
        given: What is laid on it.
        folder: Where it keeps its database, mask files and tiles; beside the images when left out.
        database: URL of the database; a file in the folder when left out.
        blind: Whether readers draw before they see the draft, each without the others.
        consensus: Whether images that two readers have read blind are laid before a third.
        repeats: Share of the images that blind readers see a second time.
        reader: How masks are read; as the run reads them, else guessed from them when left out.
        run: Configuration of a trained run, which predicts on request.
        results: Folder of runs and reports to look at.

    Raises:
        ConfigError: if what is asked for needs blind readers, and they are not.
    """

    given: Given
    folder: Path | None = None
    database: str | None = None
    blind: bool = False
    consensus: bool = False
    repeats: float = 0.0
    reader: MaskReader | None = None
    run: Config | None = None
    results: Path | None = None

    def __post_init__(self) -> None:
        if (self.repeats or self.given.known) and not self.blind:
            raise ConfigError(
                "--repeats and --known measure readers, who must not know these images: add --blind."
            )
        if self.blind and self.consensus:
            raise ConfigError("--consensus shows what blind readers drew: leave --blind out.")
        if not 0 <= self.repeats <= 1:
            raise ConfigError(f"--repeats: expected a share from 0 to 1, found {self.repeats}.")

    @property
    def measures_readers(self) -> bool:
        """Whether images are mixed in that a reader must not tell from others."""
        return bool(self.repeats or self.given.known)

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.database or sqlite_url(self.own_folder / DATABASE)

    @property
    def own_folder(self) -> Path:
        """Where the desk keeps its files."""
        path = self.given.path.absolute()
        return self.folder or path.with_name(f"{path.name}_review")
