"""Settings, read from the environment. Every variable is documented in `.env.example`."""

import os
from pathlib import Path

import django_stubs_ext
import environ
import redis
from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from recsite.local import embedded
from recsite.observability import logs

# Lets annotations such as ModelAdmin[Anime] stand in code that runs, not only in what mypy reads.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
# Plain http on this machine only: no redirect to https and no secure-only cookies. `manage.py up` sets it.
INSECURE_HTTP = env.bool("INSECURE_HTTP", default=DEBUG)

SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Set it to a long random string (see .env.example), or set DEBUG=1."
        )
    SECRET_KEY = "development-only"  # noqa: S105  unusable elsewhere: refused above when DEBUG is off

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_NAME = env.str("SITE_NAME", default="Nakama")

# Stores ---------------------------------------------------------------------------------------------------

VAR_DIR = embedded.var_dir()
ARTIFACTS_DIR = Path(env.str("ARTIFACTS_DIR", default=str(VAR_DIR / "artifacts")))
# Where data sets lie that staff may have loaded by name.
DATASETS_DIR = Path(env.str("DATASETS_DIR", default=str(VAR_DIR / "datasets")))

DATABASES = {
    "default": {
        **env.db_url_config(env.str("DATABASE_URL", default="") or embedded.database_url()),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="") or embedded.redis_url()
# How long a request may wait for Valkey, in seconds.
VALKEY_TIMEOUT_S = 2.0
VALKEY_OPTIONS = {
    "socket_timeout": VALKEY_TIMEOUT_S,
    "socket_connect_timeout": VALKEY_TIMEOUT_S,
    # A connection that a restart of Valkey broke is made again at once; a time-out is not waited for twice.
    "retry": Retry(NoBackoff(), 1, (redis.ConnectionError,)),
}
CACHES = {
    "default": {
        "BACKEND": "recsite.cache.CountingCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "recsite",
        "OPTIONS": VALKEY_OPTIONS,
    }
}
# Not in the cache too: a Valkey that hung comes back with what it held before, and somebody who has logged out
# meanwhile would be logged in again.
SESSION_ENGINE = "common.sessions"

# Applications ---------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "recsite",
    "common",
    "catalog",
    "recommender",
    "evaluation",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "corsheaders",
    "csp",
    "django_celery_beat",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
]

MIDDLEWARE = [
    # First and last, so that what it measures is all that a request takes.
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "recsite.observability.logs.RequestLog",
    # Before all that reads a form.
    "recsite.incoming.BodyLimit",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    # Before whatever hands a part of the request to a store, and behind what every answer gets.
    "recsite.middleware.AddressCheck",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    # Who acts, for the audit log.
    "common.audit.Middleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "recsite.urls"
WSGI_APPLICATION = "recsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "recsite" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "recsite.context_processors.site",
            ],
        },
    },
]

# Accounts -------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "catalog.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "catalog.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_FORMS = {"add_email": "catalog.accounts.forms.ChangeEmailForm", "signup": "catalog.accounts.forms.SignupForm"}
# Nobody has to wait for a mail, so that a site without mail works too. Several accounts may therefore name one address,
# until one of them verifies it; so the sign-up form need not tell whether an address has an account.
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_PREVENT_ENUMERATION = "strict"
# One address for each account: a second one could take the account back after its password was reset by the first.
ACCOUNT_CHANGE_EMAIL = True
# The old address hears of a new password and of a new address.
ACCOUNT_EMAIL_NOTIFICATIONS = True
# The password is asked for again, at most every five minutes, before the account itself is changed.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_USERNAME_MIN_LENGTH = 2

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
# Whether mail reaches people. The other back ends print it, keep it in files or in memory, or drop it.
SENDS_MAIL = not env.str("EMAIL_URL", default="consolemail:").startswith(
    ("consolemail:", "dummymail:", "filemail:", "memorymail:")
)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="noreply@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
if vars()["EMAIL_BACKEND"].endswith(".console.EmailBackend") and not INSECURE_HTTP:
    raise ImproperlyConfigured(
        "EMAIL_URL is not set, or is consolemail://, which prints e-mails into the log, and with them the links that "
        "reset passwords. Set it to your mail server, as in smtp+tls://user:password@mail.example.org:587, or to "
        "dummymail:// for a site that sends no e-mail (see .env.example)."
    )

# Security -------------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = not INSECURE_HTTP
# Load balancers and Prometheus ask these over plain http.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_HTTP
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else env.int("HSTS_SECONDS", default=30 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_HTTP
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The number of proxies in front that are ours: each client address is read that many hops from the right.
NUM_PROXIES = env.int("NUM_PROXIES", default=0)
if NUM_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ALLAUTH_TRUSTED_PROXY_COUNT = NUM_PROXIES
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# What a form may send, beside files.
DATA_UPLOAD_MAX_MEMORY_SIZE = 512 * 1024
# The first one ends what is too large, whoever sends it.
FILE_UPLOAD_HANDLERS = [
    "catalog.watchlists.upload.UploadLimit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# API ------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # The first says how to sign in (WWW-Authenticate), and so makes a request without credentials a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "catalog.api.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated", "catalog.api.auth.InScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.api.requests.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "recsite.api.problems.problem_details",
    "DEFAULT_SCHEMA_CLASS": "recsite.api.schema.ProblemSchema",
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.str("API_RATE_ANONYMOUS", default="60/min"),
        "user": env.str("API_RATE_USER", default="600/min"),
    },
    "NUM_PROXIES": NUM_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# The number of a training run whose model takes turns with the published one in lists of the API; 0 for none.
INTERLEAVED_RUN = env.int("INTERLEAVED_RUN", default=0)
KNOX_TOKEN_MODEL = "catalog.ApiToken"  # noqa: S105  no password
# Its migrations would make a table for the model that ours stands in for.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer"}
# Pages of other sites that may call the API, with a token and never with this site's cookies.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "if-none-match"]
CORS_EXPOSE_HEADERS = ["Deprecation", "ETag", "Idempotency-Replayed", "Retry-After", "Sunset"]
SPECTACULAR_SETTINGS = {
    "TITLE": f"{SITE_NAME} API",
    "DESCRIPTION": "The anime catalogue, one's own ratings, and recommendations.",
    "VERSION": "1.0.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "RunState": "recommender.models.TrainingRun.State",
        # Imports have the same states.
        "JobState": "evaluation.models.Job.State",
        "ExperimentState": "evaluation.judging.models.Experiment.State",
        "JudgementState": "evaluation.judging.models.Judgement.State",
        "ReviewState": "evaluation.judging.models.Review.State",
    },
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Background work ------------------------------------------------------------------------------------------

# Celery's name for a socket's address, and for the number of the database there.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "recommender.tasks.train": {"queue": "training"},
    # Reads all ratings and models: not for a worker that waits for a judge.
    "evaluation.judging.tasks.prepare": {"queue": "evaluation"},
    "evaluation.judging.*": {"queue": "judging"},
    # What was interrupted is found while an hour's report is made.
    "evaluation.tasks.resume_interrupted": {"queue": "default"},
    "evaluation.*": {"queue": "evaluation"},
    # As long as a measurement, and not for where short tasks run.
    "catalog.tasks.import_dataset": {"queue": "evaluation"},
}
# What a task may take, in seconds: the first ends it with an exception, the second with its process. Tasks that may
# take longer say so themselves.
CELERY_TASK_SOFT_TIME_LIMIT, CELERY_TASK_TIME_LIMIT = 600, 660
TRAINING_TIME_LIMIT_S = env.int("TRAINING_TIME_LIMIT_S", default=8 * 3600)
# Leaves a core to the site where there are several.
TRAINING_THREADS = env.int("TRAINING_THREADS", default=max(1, len(os.sched_getaffinity(0)) - 1))
# How far the NDCG@10 of a model may lie below the published one's for it to publish itself; on how many of the people
# whom no training sees, drawn by which seed.
GATE_NDCG_MARGIN = env.float("GATE_NDCG_MARGIN", default=0.01)
GATE_USERS, GATE_SEED = 500, 0
# The task that measures a trained run and publishes it if it may be, by name: the recommender knows no evaluation.
AFTER_TRAINING_TASK = "evaluation.tasks.decide"
CELERY_TASK_IGNORE_RESULT = True
# Beat would clear results that nobody keeps.
CELERY_RESULT_EXPIRES = None
# A task is acknowledged when it is done, and goes back to the queue when its worker process dies.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# JAX starts threads, and threads do not survive fork: a forked child of a process that runs JAX can deadlock.
CELERY_WORKER_POOL_START_METHOD = "spawn"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A message that is not acknowledged for that long is delivered again: longer than the longest task.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": TRAINING_TIME_LIMIT_S + 3600,
    # Workers ask with a time-out of a second (BRPOP), which lies below this one.
    "socket_timeout": VALKEY_TIMEOUT_S,
    "socket_connect_timeout": VALKEY_TIMEOUT_S,
    # Connecting for a message is tried twice, where Celery's default is a hundred times.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "resume interrupted training": {
        "task": "recommender.tasks.resume_interrupted_runs",
        "schedule": 30.0,
        "options": {"expires": 25.0},
    },
    "resume interrupted evaluations": {
        "task": "evaluation.tasks.resume_interrupted",
        "schedule": 60.0,
        "options": {"expires": 55.0},
    },
    "resume interrupted imports": {
        "task": "catalog.tasks.resume_interrupted_imports",
        "schedule": 60.0,
        "options": {"expires": 55.0},
    },
    "forget old answers to repeated calls": {"task": "common.tasks.forget_old_answers", "schedule": 3600.0},
    "forget old lists": {"task": "recommender.tasks.forget_old_lists", "schedule": 24 * 3600.0},
}

# Judge ----------------------------------------------------------------------------------------------------

JUDGE_BASE_URL = env.str("JUDGE_BASE_URL", default="")
JUDGE_MODEL = env.str("JUDGE_MODEL", default="")
JUDGE_API_KEY = env.str("JUDGE_API_KEY", default="")
JUDGE_TIMEOUT_S = env.float("JUDGE_TIMEOUT_S", default=120.0)
JUDGE_MAX_TOKENS = env.int("JUDGE_MAX_TOKENS", default=4000)
JUDGE_PRICE_INPUT = env.str("JUDGE_PRICE_INPUT", default="0")
JUDGE_PRICE_OUTPUT = env.str("JUDGE_PRICE_OUTPUT", default="0")
JUDGE_CONCURRENCY = env.int("JUDGE_CONCURRENCY", default=4)
JUDGE_PER_MINUTE = env.int("JUDGE_PER_MINUTE", default=60)
JUDGE_STREAM = env.bool("JUDGE_STREAM", default=False)

# Language, time, files ------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語")]
LOCALE_PATHS = [BASE_DIR / "recsite" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "recsite.static_files.GzippedStaticFilesStorage"
        if INSECURE_HTTP
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Being watched --------------------------------------------------------------------------------------------

TRACED = bool(env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default=""))
LOGGING = logs.configuration(
    as_json=env.str("LOG_FORMAT", default="line" if INSECURE_HTTP else "json") == "json",
    level=env.str("LOG_LEVEL", default="INFO"),
    traced=TRACED,
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# Nobody's address or number is in the logs.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_USER_ID_FIELD = ""
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
PROMETHEUS_EXPORT_MIGRATIONS = False
SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    import sentry_sdk

    sentry_sdk.init(
        SENTRY_DSN,
        send_default_pii=False,
        # What a person sent is neither in the body nor among the variables of the code that failed.
        max_request_body_size="never",
        include_local_variables=False,
        before_send=logs.without_addresses,
        before_send_transaction=logs.without_addresses,
        traces_sample_rate=env.float("SENTRY_TRACES_SAMPLE_RATE", default=0.0),
    )
