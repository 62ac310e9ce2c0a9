"""Addresses of recommendations."""

from django.urls import path

from recommender import related_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("recommendations/", views.recommendations_list, name="recommendations-list"),
    path("anime/<int:mal_id>/similar/", related_views.similar_anime, name="anime-similar"),
]
