"""Addresses of the evaluation outside of the admin: where people review what the judge said."""

from django.urls import path

from evaluation.judging.review import views as review_views

urlpatterns = [
    path("review/", review_views.queues, name="reviews"),
    path("review/<int:experiment>/", review_views.review, name="review"),
    path("review/<int:experiment>/<int:pk>/", review_views.answer, name="review-answer"),
]
