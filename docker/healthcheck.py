"""Exit with 0 when the web process in this container answers. Asks as the site's own name, or it is turned away."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=8)
try:
    connection.request("GET", "/healthz", headers={"Host": os.environ["ALLOWED_HOSTS"].split(",")[0].lstrip(".")})
    # A redirect to https is an answer too.
    sys.exit(connection.getresponse().status >= 400)
except OSError as error:
    sys.exit(f"no answer: {error}")
