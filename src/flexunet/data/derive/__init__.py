"""From raw films to a data set."""
