"""Engines other than Keras that run an exported model."""
