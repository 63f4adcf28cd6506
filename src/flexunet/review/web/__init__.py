"""The desk behind HTTP: who may ask, what is answered, how it starts."""
