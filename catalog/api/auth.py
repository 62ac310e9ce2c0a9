"""Who calls the API with a token, and what the token lets them do.

The settings name these classes, so nothing here may import what reads the settings of the API: its views.
"""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from knox import auth
from rest_framework import exceptions, permissions, status
from rest_framework.request import Request

from catalog.models import ApiToken, User


class TokenAuthentication(auth.TokenAuthentication):  # type: ignore[misc]  # knox is not typed
    """`Authorization: Bearer TOKEN`."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        # Tokens are hexadecimal: what is not even ASCII cannot be looked up.
        if not token.isalnum():
            raise exceptions.AuthenticationFailed(_("Invalid token."))
        user, found = super().authenticate_credentials(token)
        return user, found

    def _cleanup_token(self, token: ApiToken) -> bool:
        """Whether it has expired; rows are deleted when the user next makes one, and not while a program waits."""
        return bool(token.expiry <= timezone.now())


class InScope(permissions.BasePermission):
    """A token may do what its scope says, and nothing that its user may not.

    Reading needs `read` and anything else `write`, unless the view's `scopes` name another by HTTP method.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            return True
        usual = ApiToken.Scope.READ if request.method in permissions.SAFE_METHODS else ApiToken.Scope.WRITE
        scopes: dict[str, Any] = getattr(view, "scopes", {})
        needed = scopes.get(request.method or "", usual)
        if not request.auth.admits(needed):
            raise exceptions.PermissionDenied(
                _("This token's scope is %(scope)s, and this needs %(needed)s.")
                % {"scope": request.auth.scope, "needed": needed}
            )
        return True


class Conflict(exceptions.APIException):
    """What was asked for is not possible in the state that things are in."""

    status_code = status.HTTP_409_CONFLICT


class StaffMay(permissions.BasePermission):
    """Staff with the permission that the view's `needs` name for the action, as in the admin."""

    message = _lazy("This is for staff who have the permission to do it.")

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not (isinstance(user, User) and user.is_staff):
            return False
        # An HTTP method that the view does not have is not for a permission to refuse.
        return view.action is None or user.has_perm(view.needs[view.action])


#: For the `scopes` of views of staff: a token needs that of staff, also to read.
FOR_STAFF = dict.fromkeys(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"), ApiToken.Scope.STAFF)
