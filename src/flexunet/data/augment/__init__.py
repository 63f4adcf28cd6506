"""Augmentation: copies on disk, and changes while training."""
