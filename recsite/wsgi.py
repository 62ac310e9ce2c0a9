"""The WSGI entry point: `gunicorn recsite.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

django_application = get_wsgi_application()

from recsite.incoming import without_bad_charset  # noqa: E402  needs Django to be set up

application = without_bad_charset(django_application)
