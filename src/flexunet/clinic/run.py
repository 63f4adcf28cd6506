"""Starting and ending a listener: its folder, the model, the network."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.clinic.associations import require_network
from flexunet.clinic.listen import Listener, listen
from flexunet.clinic.send import send_files
from flexunet.clinic.station import Station
from flexunet.errors import PrintableFormatter
from flexunet.inference.predict.predictor import Predictor
from flexunet.locks import locked_output

if TYPE_CHECKING:
    from flexunet.clinic.peers import Peer
    from flexunet.config.schema import Config


def run(
    config: Config,
    out: Path,
    listener: Listener,
    *,
    forward: Peer | None = None,
    tiled: bool = False,
    announce: Callable[[str], None],
) -> None:
    """Take images, predict them and send the results on, until the process is told to stop.

    Args:
        config: The configuration of a trained run.
        out: Folder of what is accepted and what is predicted.
        listener: Who may send images, and where.
        forward: System that gets the results; none: they stay in the folder.
        tiled: Whether images are predicted tile by tile.
        announce: Called with title and address when images are taken.

    Raises:
        PathError: if the run has no model, or the address cannot be had.
        RunLockedError: if another listener has the folder.
        EngineError: if pynetdicom is not installed.
    """
    require_network()
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("flexunet.clinic").setLevel(logging.INFO)
    sends = None
    if forward is not None:
        sends = partial(send_files, forward, title=listener.title, patience=listener.patience)
    with locked_output(out):
        station = Station(config, out, Predictor.load(config), sends, tiled=tiled)
        listen(station, listener, announce)
