"""Optimizers, learning-rate schedules, accumulation and averaging."""
