"""Outlines drawn elsewhere, turned into masks."""
