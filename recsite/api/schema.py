"""What the OpenAPI document says of every operation: how to sign in, and what an error looks like."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from recsite.api.problems import MEDIA_TYPE

# Not classes: a field may not be called `errors`, which serializers have of their own.
FAULT = inline_serializer(
    "Fault",
    {
        "pointer": serializers.CharField(
            help_text="JSON pointer to the field of the body, or to the parameter of the query, that is at fault."
        ),
        "detail": serializers.CharField(),
    },
    many=True,
    required=False,
    help_text="When the request is not valid.",
)
#: RFC 9457.
PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(min_value=400, max_value=599),
        "detail": serializers.CharField(),
        "errors": FAULT,
    },
)
PROBLEMS = {
    "4XX": "What is wrong with the request, or who may make it.",
    "5XX": "What is wrong on the side of the site; with `Retry-After` where it passes.",
}


class ProblemSchema(AutoSchema):
    """Says of each operation that its errors are problem details."""

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for codes, description in PROBLEMS.items():
            bodies[codes] = self._get_response_for_code(PROBLEM, codes, [MEDIA_TYPE], direction)  # type: ignore[no-untyped-call]
            bodies[codes]["description"] = description
        return bodies


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "catalog.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token made at /me/tokens/."}
