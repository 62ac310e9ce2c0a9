"""The history family of models: two towers that read what a person watched."""
