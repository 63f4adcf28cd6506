"""Layers and blocks that architectures share."""
