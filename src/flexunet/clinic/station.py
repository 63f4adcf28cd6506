"""Accepted objects through the model: results beside, sent on where that is asked for, nothing done twice.

<folder>/accepted/STUDY/OBJECT.dcm    what came (`inbox`)
<folder>/results/STUDY/masks...       what `infer` writes, a folder a study
<folder>/station.jsonl                what is finished, one line an object and step

A step is noted after it is done. So a station that was killed goes on where it stopped: what was accepted
and not noted is predicted, what was predicted and not noted as sent is sent. A step that is done again gives
the same objects under the same UIDs.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.clinic.inbox import Accepted, Inbox
from flexunet.clinic.send import Sent
from flexunet.errors import FlexUNetError, counted
from flexunet.inference.folder import infer_folder
from flexunet.inference.outputs.dicom_objects.write import SUFFIXES
from flexunet.inference.outputs.write import beside
from flexunet.journal import append_to_journal, read_journal

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.inference.predict.predictor import Predictor

log = logging.getLogger("flexunet.clinic")
JOURNAL = "station.jsonl"
PREDICTED, UNUSABLE, SENT = "predicted", "unusable", "sent"
Forward = Callable[[list[Path]], Sent]


class Station:
    """Works off what an inbox has accepted.

    Args:
        config: The configuration of a trained run.
        folder: Folder of the station.
        predictor: The model.
        forward: Sends files on; None: results stay here.
        tiled: Whether images are predicted tile by tile.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        predictor: Predictor,
        forward: Forward | None = None,
        *,
        tiled: bool = False,
    ):
        self.config = config
        self.folder = folder
        self.inbox = Inbox(folder / "accepted")
        self.predictor = predictor
        self.forward = forward
        self.tiled = tiled
        self._path = folder / JOURNAL
        self._done = {
            (entry["step"], entry["key"])
            for entry in read_journal(self._path)
            if isinstance(entry, dict) and {"step", "key"} <= entry.keys()
        }

    def unfinished(self) -> list[Accepted]:
        """Accepted objects with a step to do."""
        return [each for each in self.inbox if self._next_step(each.key)]

    def work_off(self, accepted: Iterable[Accepted] | None = None) -> bool:
        """Do what is to be done for objects.

        Args:
            accepted: The objects; None: all that are unfinished.

        Returns:
            Whether all is done; what failed for a reason that may pass is left for later.
        """
        studies: dict[str, list[Accepted]] = defaultdict(list)
        for each in self.unfinished() if accepted is None else accepted:
            studies[each.study].append(each)
        done = [self._work_off_study(study, objects) for study, objects in studies.items()]
        return all(done)

    def _work_off_study(self, study: str, objects: list[Accepted]) -> bool:
        try:
            waiting = [each for each in objects if self._next_step(each.key) == PREDICTED]
            if waiting:
                self._predict(study, waiting)
            return self._send([each for each in objects if self._next_step(each.key) == SENT])
        except FlexUNetError as error:  # a full disk, a folder without rights: tried again later
            log.error("study %s waits: %s", study, error)
            return False

    def _next_step(self, key: str) -> str:
        """PREDICTED or SENT where that is to be done, "" where nothing is."""
        if (UNUSABLE, key) in self._done:
            return ""
        if (PREDICTED, key) not in self._done:
            return PREDICTED
        return SENT if self.forward and (SENT, key) not in self._done else ""

    def _predict(self, study: str, waiting: list[Accepted]) -> None:
        config = self.config.model_copy(deep=True)
        section = config.tiledinfer if self.tiled else config.infer
        section.output_dir = str(self.output_dir(study).absolute())
        config.infer.overlay_dir = None
        keys = {each.path: each.key for each in waiting}
        result = infer_folder(
            config, inputs=[self.inbox.folder / study], predictor=self.predictor, tiled=self.tiled
        )
        predicted = set(result.foreground_pixels)
        for path, key in keys.items():
            problem = result.failures.get(path, "")
            if problem:
                log.warning("%s", problem)
            self._note(PREDICTED if path in predicted else UNUSABLE, key, problem)
        log.info("study %s: %s predicted", study, counted(len(predicted & set(keys)), "image"))

    def output_dir(self, study: str) -> Path:
        """Folder of the masks of a study; the other results stand beside it."""
        return self.folder / "results" / study / "masks"

    def results_of(self, accepted: Accepted) -> list[Path]:
        """The DICOM objects that were written for an accepted one."""
        folder = beside(self.output_dir(accepted.study), "dicom")
        return [
            path
            for suffix in SUFFIXES.values()
            if (path := folder / f"{accepted.instance}{suffix}").is_file()
        ]

    def _send(self, objects: list[Accepted]) -> bool:
        files = {each: self.results_of(each) for each in objects}
        if not objects or self.forward is None:
            return True
        paths = [path for own in files.values() for path in own]
        sent = self.forward(paths) if paths else Sent()
        for path, failure in sent.failures.items():
            log.warning("%s is not sent on: %s", path, failure)
        for each, own in files.items():
            if not set(own) & sent.failures.keys():
                self._note(SENT, each.key)
        if sent.files:
            log.info("study %s: %s sent on", objects[0].study, counted(len(sent.files), "object"))
        return not sent.failures

    def _note(self, step: str, key: str, problem: str = "") -> None:
        append_to_journal(self._path, {"step": step, "key": key, **({"problem": problem} if problem else {})})
        self._done.add((step, key))
