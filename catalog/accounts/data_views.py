"""What is mine: taken away as a file, brought as one, and deleted."""

from collections.abc import Callable, Iterable

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import services
from catalog.http import AccountRequest
from catalog.models import User
from catalog.watchlists import importing, myanimelist, own
from catalog.watchlists.entries import UploadError
from catalog.watchlists.upload import MAX_UPLOAD_BYTES
from common.bodies import takes_up_to

Written = Iterable[str]
WRITERS: dict[str, tuple[str, Callable[[list[own.Said], User], Written]]] = {
    "csv": ("text/csv; charset=utf-8", lambda said, user: own.as_csv(said)),
    "json": ("application/json", lambda said, user: [own.as_json(said, user)]),
    "xml": ("application/xml", lambda said, user: myanimelist.written(said, username=user.username)),
}


@require_safe
@never_cache
@login_required
def data(request: AccountRequest) -> HttpResponse:
    """Where files come and go."""
    return render(request, "catalog/data.html", {"waiting": importing.remembered(request.user)})


@require_safe
@never_cache
@login_required
def export(request: AccountRequest, kind: str) -> HttpResponse:
    """Everything that the account says, as a file of this kind."""
    if kind not in WRITERS:
        raise Http404
    content_type, write = WRITERS[kind]
    response = HttpResponse(write(own.everything(request.user), request.user), content_type=content_type)
    name = f"{slugify(settings.SITE_NAME) or 'anime'}-{timezone.now():%Y-%m-%d}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# Twice what is read: who chose a file that is a little too large is told so on the page.
@takes_up_to(2 * MAX_UPLOAD_BYTES)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def import_list(request: AccountRequest) -> HttpResponse:
    """Take a file, and show what it would do before it does."""
    if request.method == "POST":
        return _take(request)
    upload = importing.remembered(request.user)
    if upload is None:
        return redirect("my-data")
    keeps_mine = request.GET.get("keep") == "mine"
    report = importing.report(request.user, upload, keeps_mine=keeps_mine)
    context = {"upload": upload, "report": report, "keeps_mine": keeps_mine, "named": importing.NAMED}
    return render(request, "catalog/import_preview.html", context)


@require_POST
@never_cache
@login_required
def apply_import(request: AccountRequest) -> HttpResponse:
    """Do what the preview showed. A second submit, or one of a stale tab, changes nothing."""
    upload = importing.remembered(request.user)
    if upload is None:
        messages.info(
            request, _("There is no file to import: it was imported already, or was uploaded more than an hour ago.")
        )
        return redirect("my-data")
    if request.POST.get("token") != upload.token:
        messages.info(request, _("You have chosen another file since. This is the preview of that one."))
        return redirect("import-list")
    done = importing.apply(request.user, upload, keeps_mine=request.POST.get("keep") == "mine")
    importing.forget(request.user)
    message = ngettext("%(count)s anime imported.", "%(count)s anime imported.", done.writes)
    messages.success(request, message % {"count": done.writes})
    return redirect("my-ratings")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth is not typed
def delete_account(request: AccountRequest) -> HttpResponse:
    """Delete the account and all that is its owner's, once the password was given again."""
    if request.method == "POST":
        user = request.user
        importing.forget(user)
        services.delete_account(user=user)
        logout(request)
        messages.success(request, _("Your account and everything in it are deleted."))
        return redirect("home")
    return render(request, "catalog/delete_account.html")


def _take(request: AccountRequest) -> HttpResponse:
    file = request.FILES.get("file")
    if request.META.get("UPLOAD_TOO_LARGE"):
        problem = _("The file is larger than %(limit)s MB.") % {"limit": MAX_UPLOAD_BYTES // 1024**2}
    elif file is None:
        problem = _("Choose a file first.")
    else:
        try:
            importing.remember(request.user, importing.read(file, file.name or ""))
        except UploadError as error:
            problem = str(error)
        else:
            return redirect("import-list")
    waiting = importing.remembered(request.user)
    return render(request, "catalog/data.html", {"problem": problem, "waiting": waiting}, status=400)
