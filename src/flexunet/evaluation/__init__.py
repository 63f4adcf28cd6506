"""Evaluation: pixel and lesion scores, intervals, report."""
