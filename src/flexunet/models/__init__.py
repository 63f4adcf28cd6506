"""Models: one architecture a file, a registry, and weights files.

Importing this room settles on the engine, so that every module in it and behind it can import Keras.
"""

from flexunet.models.engine import choose_engine

choose_engine()
