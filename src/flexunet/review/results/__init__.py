"""The results of runs, looked at on the desk: scores, curves, reports, comparisons, predictions by doubt."""
