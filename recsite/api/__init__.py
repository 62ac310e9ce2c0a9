"""The addresses of the API, its error format and its OpenAPI schema."""
