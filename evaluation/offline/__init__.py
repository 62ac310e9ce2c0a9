"""Methods compared on held-out people: data, protocol, metrics and statistics."""
