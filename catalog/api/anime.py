"""/api/v1/: the catalogue, for everybody to read."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, viewsets

from catalog.api.auth import InScope
from catalog.api.filters import AnimeFilter
from catalog.api.serializers import AnimeSerializer, AnimeSummarySerializer, GenreSerializer
from catalog.models import ADULT_GENRE, Anime, Genre
from common.api.pagination import OffsetPages
from common.api.requests import revalidated


@revalidated
@extend_schema_view(
    list=extend_schema(
        summary="Search, filter and sort the catalogue",
        description="Anime, the best match of `q` or the most popular first. Adult titles are there only for a "
        "signed-in user who asked for them (`shows_adult` of `me/`).",
        responses=AnimeSummarySerializer(many=True),
    ),
    retrieve=extend_schema(summary="One anime"),
)
class AnimeViewSet(viewsets.ReadOnlyModelViewSet[Anime]):
    queryset = Anime.objects.none()
    permission_classes = [InScope]
    pagination_class = OffsetPages
    filterset_class = AnimeFilter
    lookup_field = "mal_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Anime]:
        anime = Anime.objects.visible_to(self.request.user)
        return anime.with_genres() if self.action == "retrieve" else anime

    def get_serializer_class(self) -> type[AnimeSummarySerializer]:
        return AnimeSerializer if self.action == "retrieve" else AnimeSummarySerializer


@revalidated
@extend_schema(summary="All genres, by name")
class GenreList(generics.ListAPIView[Genre]):
    serializer_class = GenreSerializer
    permission_classes = [InScope]
    filter_backends = []

    def get_queryset(self) -> QuerySet[Genre]:
        shows_adult = getattr(self.request.user, "shows_adult", False)
        return Genre.objects.all() if shows_adult else Genre.objects.exclude(name=ADULT_GENRE)
