"""What every endpoint of the API needs: pages, parsers, entity tags, calls that are safe to repeat."""
