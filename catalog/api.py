"""/api/v1/: the catalogue for everybody, and one's own ratings and list."""

from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, mixins, pagination, serializers, status, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.api_auth import InScope
from catalog.filters import AnimeFilter
from catalog.models import ADULT_GENRE, Anime, Genre, ListEntry, Rating, User
from catalog.serializers import (
    AccountSerializer,
    AnimeSerializer,
    AnimeSummarySerializer,
    GenreSerializer,
    ListEntrySerializer,
    RatingSerializer,
    ScoreSerializer,
    StatusSerializer,
)

NOT_FOUND = "This anime is not in the catalogue."


class Pages(pagination.LimitOffsetPagination):
    default_limit = 30
    max_limit = 100


def viewer(request: Request) -> User:
    """The signed-in user; the view's permissions admit no other."""
    return cast(User, request.user)


@extend_schema_view(list=extend_schema(responses=AnimeSummarySerializer(many=True)))
class AnimeViewSet(viewsets.ReadOnlyModelViewSet[Anime]):
    """Search, filter and read the catalogue. Adult titles are there for those who asked for them."""

    queryset = Anime.objects.none()
    permission_classes = [InScope]
    pagination_class = Pages
    filterset_class = AnimeFilter
    lookup_field = "mal_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Anime]:
        anime = Anime.objects.visible_to(self.request.user)
        return anime.with_genres() if self.action == "retrieve" else anime

    def get_serializer_class(self) -> type[AnimeSummarySerializer]:
        return AnimeSerializer if self.action == "retrieve" else AnimeSummarySerializer


class GenreList(generics.ListAPIView[Genre]):
    """All genres, by name."""

    serializer_class = GenreSerializer
    permission_classes = [InScope]
    filter_backends = []

    def get_queryset(self) -> QuerySet[Genre]:
        shows_adult = getattr(self.request.user, "shows_adult", False)
        return Genre.objects.all() if shows_adult else Genre.objects.exclude(name=ADULT_GENRE)


class Account(generics.RetrieveUpdateAPIView[User]):
    """The signed-in user."""

    serializer_class = AccountSerializer
    http_method_names = ["get", "patch", "head", "options"]

    def get_object(self) -> User:
        return viewer(self.request)


class _MineViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Any]
):
    """The caller's own rows, one for each anime, addressed by the anime's id."""

    pagination_class = Pages
    filter_backends = []
    lookup_field = "anime_id"
    lookup_value_converter = "int"

    def write(self, anime_id: int, **values: Any) -> Any:
        raise NotImplementedError

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        checked = self.get_serializer(data=request.data)
        checked.is_valid(raise_exception=True)
        try:
            row = self.write(**checked.validated_data)
        except Anime.DoesNotExist:
            raise serializers.ValidationError({"anime_id": NOT_FOUND}) from None
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    def replace(self, request: Request, serializer: type[serializers.Serializer[Any]], anime_id: int) -> Response:
        checked = serializer(data=request.data)
        checked.is_valid(raise_exception=True)
        try:
            row = self.write(anime_id=anime_id, **checked.validated_data)
        except Anime.DoesNotExist:
            raise NotFound(NOT_FOUND) from None
        return Response(self.get_serializer(row).data)


class RatingViewSet(_MineViewSet):
    """One's own ratings, latest first. Writing one that is there replaces it."""

    queryset = Rating.objects.none()
    serializer_class = RatingSerializer

    def get_queryset(self) -> QuerySet[Rating]:
        return Rating.objects.filter(user=viewer(self.request))

    def write(self, anime_id: int, **values: Any) -> Rating:
        return services.rate(user=viewer(self.request), anime_id=anime_id, score=values["score"])

    @extend_schema(
        request=ScoreSerializer, responses={200: RatingSerializer, 404: OpenApiResponse(description=NOT_FOUND)}
    )
    def update(self, request: Request, anime_id: int) -> Response:
        """Rate an anime."""
        return self.replace(request, ScoreSerializer, anime_id)


class ListEntryViewSet(_MineViewSet):
    """One's own list, latest first. Writing an entry that is there replaces it."""

    queryset = ListEntry.objects.none()
    serializer_class = ListEntrySerializer

    def get_queryset(self) -> QuerySet[ListEntry]:
        return ListEntry.objects.filter(user=viewer(self.request))

    def write(self, anime_id: int, **values: Any) -> ListEntry:
        return services.set_status(user=viewer(self.request), anime_id=anime_id, status=values["status"])

    @extend_schema(
        request=StatusSerializer, responses={200: ListEntrySerializer, 404: OpenApiResponse(description=NOT_FOUND)}
    )
    def update(self, request: Request, anime_id: int) -> Response:
        """Put an anime on the list."""
        return self.replace(request, StatusSerializer, anime_id)
