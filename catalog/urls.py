"""Addresses of the catalogue and of what people say of it."""

from django.urls import path

from catalog.accounts import data_views, token_views
from catalog.taste import views as taste_views
from catalog.views import feedback as feedback_views
from catalog.views import pages

urlpatterns = [
    path("anime/", pages.anime_list, name="anime-list"),
    path("anime/<int:mal_id>/", pages.anime_detail, name="anime-detail"),
    path("anime/<int:mal_id>/cover.svg", pages.anime_cover, name="anime-cover"),
    path("anime/<int:mal_id>/rate/", feedback_views.rate, name="rate"),
    path("anime/<int:mal_id>/status/", feedback_views.list_status, name="list-status"),
    path("me/ratings/", pages.my_ratings, name="my-ratings"),
    path("me/taste/", taste_views.my_taste, name="my-taste"),
    path("me/data/", data_views.data, name="my-data"),
    path("me/data/export.<str:kind>", data_views.export, name="export"),
    path("me/data/import/", data_views.import_list, name="import-list"),
    path("me/data/import/apply/", data_views.apply_import, name="apply-import"),
    path("me/delete/", data_views.delete_account, name="delete-account"),
    path("me/tokens/", token_views.tokens, name="my-tokens"),
    path("me/tokens/<slug:key>/revoke/", token_views.revoke, name="revoke-token"),
    path("me/settings/", pages.settings, name="settings"),
]
