"""Commands for a study and its report."""
