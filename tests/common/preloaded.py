"""The site for gunicorn's `--preload`, with everything imported that a request needs.

A web process that takes the place of a killed one is then forked with all of it, and answers at once.
"""

from django.template.loader import get_template
from django.urls import resolve

from recsite.wsgi import application

__all__ = ["application"]

resolve("/")
get_template("catalog/_notice.html")
