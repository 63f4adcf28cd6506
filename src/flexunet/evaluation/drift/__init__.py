"""Whether images that a model meets are still like those that it was trained on: `flexunet drift`."""
