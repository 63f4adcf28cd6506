"""Commands that train, measure or use a model."""
