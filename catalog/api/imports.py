"""/api/v1/staff/imports/: data sets loaded by a worker, for programs of staff."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.me import IDEMPOTENCY_KEY, viewer
from catalog.api.staff import StaffViewSet
from catalog.datasets import jobs
from catalog.datasets.models import ImportJob
from common.api.idempotency import idempotent
from common.api.requests import revalidated

VIEW, LOAD = "catalog.view_importjob", "catalog.load_dataset"


class ImportJobSerializer(serializers.ModelSerializer[ImportJob]):
    report = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        allow_null=True,
        help_text="What was loaded, in numbers; null before the end, and where the files held nothing new.",
    )
    started_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)

    class Meta:
        model = ImportJob
        fields = [
            "id", "source", "name", "replace", "state", "error", "report", "started_by", "created_at", "started_at",
            "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class AskedImportSerializer(serializers.Serializer[Any]):
    source = serializers.CharField(  # type: ignore[assignment]  # serializers have an attribute of this name
        max_length=200, help_text="A folder or zip file in the server's DATASETS_DIR by name, `demo`, or `kaggle`."
    )
    name = serializers.SlugField(
        max_length=50, default="anime-recommendations-database", help_text="Of the data set, in place of what it held."
    )
    replace = serializers.BooleanField(
        default=False,
        help_text="Load also what leaves fewer than 80 % of the data set's members or of its interactions, which fails "
        "without this.",
    )


@revalidated
@extend_schema_view(
    list=extend_schema(summary="Imports of data sets, latest first"),
    retrieve=extend_schema(summary="One import, and how it goes"),
)
class ImportJobViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, StaffViewSet):
    queryset = ImportJob.objects.none()
    serializer_class = ImportJobSerializer
    needs: ClassVar = {"list": VIEW, "retrieve": VIEW, "create": LOAD, "metadata": VIEW}

    def get_queryset(self) -> QuerySet[ImportJob]:
        return ImportJob.objects.select_related("started_by")

    @extend_schema(
        summary="Load a data set",
        description="By a worker: all of it, or nothing when a line is not valid, when no anime or no member would be "
        "left, or when much less of a loaded data set would be left. The same files change nothing.",
        parameters=[IDEMPOTENCY_KEY],
        request=AskedImportSerializer,
        responses={201: ImportJobSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = AskedImportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            job = jobs.request_import(started_by=viewer(request), **asked.validated_data)
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return Response(ImportJobSerializer(job).data, status=status.HTTP_201_CREATED)
