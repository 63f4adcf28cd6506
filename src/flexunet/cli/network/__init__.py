"""Commands that talk to other programs over the network."""
