"""The review desk: a person looks at every mask, corrects it and signs it, in a browser."""
