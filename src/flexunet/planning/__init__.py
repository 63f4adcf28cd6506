"""Planning: from a data set and a machine to a configuration, with the reason for every choice."""
