"""Configuration: schema, published dialect, loading and saving."""
