"""Synthetic mammograms with exact masks."""
