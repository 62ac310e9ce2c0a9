"""What all endpoints below /api/v1/staff/ have in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.db import transaction
from rest_framework import viewsets
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.auth import FOR_STAFF, InScope, StaffMay
from common import audit
from common.api.idempotency import REPLAYED_HEADER
from common.api.pagination import CursorPages


class StaffViewSet(viewsets.GenericViewSet[Any]):
    """Permissions as in the admin, and an audit entry of each call that writes, in the transaction of the write.

    A service that records what it does has said it better; a call that no service recorded leaves its address.
    """

    permission_classes = [IsAuthenticated, InScope, StaffMay]
    scopes: ClassVar = FOR_STAFF
    pagination_class: Any = CursorPages
    filter_backends = []
    lookup_url_kwarg = "id"
    lookup_value_converter = "int"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        name = (request.method or "").lower()
        if request.method not in SAFE_METHODS and hasattr(self, name):
            setattr(self, name, self._audited(getattr(self, name)))

    def _audited(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(handler)
        def write(request: Request, *args: Any, **kwargs: Any) -> Response:
            with transaction.atomic():
                before = audit.written()
                answer = handler(request, *args, **kwargs)
                # An answer that is repeated for an Idempotency-Key did nothing.
                if audit.written() == before and REPLAYED_HEADER not in answer.headers:
                    audit.record(f"{self.basename}.{self.action}", path=request.path)
                return answer

        return write
