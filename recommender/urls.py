"""Addresses of recommendations."""

from django.urls import path

from recommender import related_views, row_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("recommendations/", views.recommendations, name="recommendations"),
    path("recommendations/rows/", row_views.rows, name="recommendation-rows"),
    path("anime/<int:mal_id>/similar/", related_views.similar_anime, name="anime-similar"),
]
