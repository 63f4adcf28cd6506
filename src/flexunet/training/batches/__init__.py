"""Batches for training: which images, which crops, in which order."""
