"""Training: losses, metrics, callbacks and the run."""

import flexunet.models  # noqa: F401 - starts the engine before a module here imports Keras
