"""Public data sets as they are downloaded: one row and one file a data set."""
