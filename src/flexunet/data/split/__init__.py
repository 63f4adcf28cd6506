"""Train, valid and test that share no source and no patient."""
