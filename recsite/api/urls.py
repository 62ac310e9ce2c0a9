"""Every address below /api/."""

from typing import Any

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from catalog.api import anime as catalog
from catalog.api import me
from catalog.api.imports import ImportJobViewSet
from evaluation.api import EvaluationViewSet
from evaluation.judging.api import ExperimentViewSet, JudgementViewSet, ReviewViewSet
from recommender.api import recommendations as recommender
from recommender.api.training_runs import TrainingRunViewSet


class Nothing(APIView):
    """Whatever else is asked for below /api/, answered as every other error is."""

    permission_classes = [AllowAny]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such address. All end with a slash, and are listed at /api/docs/.")

    def get(self, request: Request, **kwargs: Any) -> Response:
        raise NotImplementedError  # never reached: `initial` answers every method

    post = put = patch = delete = get


router = SimpleRouter(use_regex_path=False)
router.register("anime", catalog.AnimeViewSet, basename="anime")
router.register("me/ratings", me.RatingViewSet, basename="my-rating")
router.register("me/list", me.ListEntryViewSet, basename="my-list-entry")
router.register("staff/runs", TrainingRunViewSet, basename="run")
router.register("staff/imports", ImportJobViewSet, basename="import")
router.register("staff/evaluations", EvaluationViewSet, basename="evaluation")
router.register("staff/experiments", ExperimentViewSet, basename="experiment")
router.register("staff/judgements", JudgementViewSet, basename="judgement")
router.register("staff/reviews", ReviewViewSet, basename="review")

v1 = [
    *router.urls,
    path("anime/<int:id>/similar/", recommender.Similar.as_view(), name="anime-similar"),
    path("events/", recommender.Events.as_view(), name="events"),
    path("genres/", catalog.GenreList.as_view(), name="genres"),
    path("me/", me.Account.as_view(), name="me"),
    path("predictions/", recommender.Predictions.as_view(), name="predictions"),
    path("recommendations/", recommender.Recommendations.as_view(), name="recommendations"),
]

urlpatterns = [
    path("v1/", include((v1, "v1"), namespace="v1")),
    path("schema/", SpectacularAPIView.as_view(api_version="v1"), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("<path:rest>", Nothing.as_view()),
]
