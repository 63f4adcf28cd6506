"""The version, apart so that `flexunet --version` imports nothing else."""

__version__ = "0.1.0"
