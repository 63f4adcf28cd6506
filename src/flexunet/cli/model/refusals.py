"""What `train` refuses before an engine is started, which takes seconds. The run itself checks it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def refuse_training(config: Config) -> None:
    """Raise what a training of this configuration would raise for its files and its run folder.

    Raises:
        InputError: if images, masks or initial weights are missing, or do not fit each other.
        RunLockedError: if another run is at work in the run folder.
    """
    from flexunet.config.files import initial_weights_file
    from flexunet.data.configured import is_validated, split_pairs
    from flexunet.locks import locked_run
    from flexunet.membership import membership

    for split in ("train", "valid") if is_validated(config) else ("train",):
        split_pairs(config, split)
    if config.model.initial_weights:
        initial_weights_file(config)
    if membership() is None:
        with locked_run(config.run_dir):
            pass
