"""Training runs, from the moment somebody asks for one to a model on disk."""
