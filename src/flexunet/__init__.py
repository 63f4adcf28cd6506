"""FlexUNet: segment mammograms and other medical images from one configuration file.

>>> import flexunet
>>> config = flexunet.load_config("mammogram.toml")
>>> config.model.image_width
64

docs/python.md shows the whole path in Python. The public names stand in `__init__.pyi`, each with its module;
they load on first use, so that importing the package starts no engine.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
