"""The admin of this application. Django imports this package, which imports the modules that register pages."""

from recommender.admin import served_lists, training_runs  # noqa: F401  they register themselves
