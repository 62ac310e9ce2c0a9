"""The environment of the tests, set before pytest-django reads the settings (`-p tests.environment`)."""

import os

from recsite.local import embedded

os.environ.setdefault("VAR_DIR", "var/test")
os.environ.update(
    SECRET_KEY="only-for-tests",
    DEBUG="0",
    INSECURE_HTTP="1",
    ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
    API_RATE_ANONYMOUS="100000/min",
    API_RATE_USER="100000/min",
    LOG_LEVEL="WARNING",
)
#: The number of this pytest-xdist worker: each has a database and a Valkey database of its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

if WORKER == 0 and "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["TESTS_OWN_VALKEY"] = "" if os.environ.get("REDIS_URL") else "1"
if os.environ["TESTS_OWN_VALKEY"]:
    os.environ.pop("REDIS_URL", None)
embedded.ensure(durable=False)
if os.environ["TESTS_OWN_VALKEY"]:
    # Set only now: `ensure` takes a variable that is set for somebody else's server.
    os.environ["REDIS_URL"] = f"{embedded.redis_url()}?db={WORKER}"
# WhiteNoise warns of every request when the folder is absent; `collectstatic` is not part of a test.
(embedded.var_dir() / "static").mkdir(exist_ok=True)
