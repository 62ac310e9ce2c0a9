"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from catalog.accounts import views as account_views
from recsite import views
from recsite.observability import dashboard, health, metrics

urlpatterns = [
    path("", include("recommender.urls")),
    path("", include("catalog.urls")),
    path("staff/", include("evaluation.urls")),
    # In place of allauth's view of the same address.
    path("accounts/signup/", account_views.signup, name="account_signup"),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("recsite.api.urls")),
    path("admin/dashboard/", dashboard.view, name="admin-dashboard"),
    path("admin/", admin.site.urls),
    path("offline/", views.offline, name="offline"),
    path("sw.js", views.service_worker, name="service-worker"),
    path("metrics", metrics.metrics, name="metrics"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]

# What Django answers itself, outside of any view: below /api/ with problem details, elsewhere with a page.
handler400 = "recsite.errors.bad_request"
handler403 = "recsite.errors.permission_denied"
handler404 = "recsite.errors.page_not_found"
handler500 = "recsite.errors.server_error"
