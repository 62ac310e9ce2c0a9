"""The REST API of recommendations and of training runs."""
