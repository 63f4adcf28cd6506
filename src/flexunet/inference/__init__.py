"""Inference: from an image to probabilities, masks and overlays."""
