"""The report page, the model card and the tables of the command line."""
