"""Find what would make a test score untrue, on any data set."""
