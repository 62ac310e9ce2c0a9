"""The admin of experiments and reviews; `evaluation.admin` imports the modules that register pages."""
