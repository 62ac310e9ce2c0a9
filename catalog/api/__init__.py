"""The REST API of the catalogue and of the caller's own ratings and list."""
