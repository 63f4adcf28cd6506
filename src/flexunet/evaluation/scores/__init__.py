"""Scores of one image, and the intervals around their means."""
