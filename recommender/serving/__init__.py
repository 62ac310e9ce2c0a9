"""Lists of recommendations, made in web processes. Nothing here imports JAX."""
