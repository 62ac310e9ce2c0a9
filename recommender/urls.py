"""Addresses of recommendations."""

from django.urls import path

from recommender.views import pages
from recommender.views import related as related_views
from recommender.views import rows as row_views

urlpatterns = [
    path("", pages.home, name="home"),
    path("recommendations/", pages.recommendations, name="recommendations"),
    path("recommendations/rows/", row_views.rows, name="recommendation-rows"),
    path("anime/<int:mal_id>/similar/", related_views.similar_anime, name="anime-similar"),
]
