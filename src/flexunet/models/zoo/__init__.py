"""One architecture per module, each with `build(config) -> keras.Model`."""
