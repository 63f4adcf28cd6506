"""From tables to the scores of a test set, and what they are worth."""
