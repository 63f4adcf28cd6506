"""Deployment: trained models in the forms of other runtimes, and proof that they predict the same."""
