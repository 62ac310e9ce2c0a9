"""Addresses of the catalogue and of what people say of it."""

from django.urls import path

from catalog import data_views, feedback_views, taste_views, token_views, views

urlpatterns = [
    path("anime/", views.anime_list, name="anime-list"),
    path("anime/<int:mal_id>/", views.anime_detail, name="anime-detail"),
    path("anime/<int:mal_id>/cover.svg", views.anime_cover, name="anime-cover"),
    path("anime/<int:mal_id>/rate/", feedback_views.rate, name="rate"),
    path("anime/<int:mal_id>/status/", feedback_views.list_status, name="list-status"),
    path("me/ratings/", views.my_ratings, name="my-ratings"),
    path("me/taste/", taste_views.my_taste, name="my-taste"),
    path("me/data/", data_views.data, name="my-data"),
    path("me/data/export.<str:kind>", data_views.export, name="export"),
    path("me/data/import/", data_views.import_list, name="import-list"),
    path("me/data/import/apply/", data_views.apply_import, name="apply-import"),
    path("me/delete/", data_views.delete_account, name="delete-account"),
    path("me/tokens/", token_views.tokens, name="my-tokens"),
    path("me/tokens/<slug:key>/revoke/", token_views.revoke, name="revoke-token"),
    path("me/settings/", views.settings, name="settings"),
]
