"""Models: one architecture a file, a registry, and weights files.

Importing this room starts the engine, so that every module in it and behind it can import Keras.
"""

from flexunet.models.engine import start_engine

start_engine()
