"""Training: losses, metrics, callbacks and the run."""
