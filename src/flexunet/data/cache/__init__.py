"""Decoded images and masks, memory-mapped."""
