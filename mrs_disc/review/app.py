"""The page's server: routes over a catalogue of studies, behind the guard.

Reading is GET and changes nothing; everything that changes is a JSON post. Endpoints are plain
functions, which Starlette runs in threads: reading a study does not hold up another window.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.errors import InputError, OutputError, ReadError
from mrs_disc.record.concordance import concordance
from mrs_disc.record.journal import StaleError, append_act
from mrs_disc.record.level import Level
from mrs_disc.record.parts import Morphology
from mrs_disc.record.review import STATUS_SHAPE
from mrs_disc.report.curves import MAX_BROADENING_HZ, spectrum_json
from mrs_disc.report.page import environment
from mrs_disc.report.words import harmless
from mrs_disc.review.acts import MorphologySent, analysed_key, fields_of, sent
from mrs_disc.review.catalogue import LABELS, QUALITIES, SORTS, Catalogue, Query, StudyRow
from mrs_disc.review.patient import patient_of
from mrs_disc.review.security import Door, Guard
from mrs_disc.review.studies import Library, LoadedStudy, utc_now

HERE = Path(__file__).parent
STATIC_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Server:
    """The endpoints, and what they share.

    Parameters
    ----------
    catalogue : Catalogue
        The studies.
    library : Library
        What is known of them.
    stop : callable
        Ends the server.
    now : callable
        Returns the time of an act.
    dicom_reference : Path or None
        A file of the patient, or a folder with those of many, named on the command line.
    show_patient : bool
        Whether the page of a study says whose it is.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        library: Library,
        stop: Callable[[], None],
        now: Callable[[], str] = utc_now,
        dicom_reference: Path | None = None,
        show_patient: bool = False,
    ) -> None:
        self.catalogue = catalogue
        self.library = library
        self.stop_server = stop
        self.now = now
        self.dicom_reference = dicom_reference
        self.show_patient = show_patient
        self.static = {
            path.name: (path.read_bytes(), STATIC_TYPES[path.suffix])
            for path in (HERE / "static").iterdir()
            if path.suffix in STATIC_TYPES
        }
        self.templates = environment("mrs_disc.review")
        self.templates.globals.update(research_use=RESEARCH_USE, single=catalogue.single)

    def routes(self) -> list[Route]:
        """Return the table of addresses."""
        at = "/study/{study}"
        return [
            Route("/", self.list_page),
            Route("/node", self.node_page),
            Route("/static/{name}", self.static_file),
            Route(at, self.study_page),
            Route(f"{at}/summary", self.summary),
            Route(f"{at}/spectrum/{{key}}", self.spectrum),
            Route(f"{at}/concordance/{{key}}", self.concordance),
            Route(f"{at}/anatomy", self.anatomy),
            Route(f"{at}/state", self.state),
            Route(f"{at}/acts", self.act, methods=["POST"]),
            Route(f"{at}/final", self.make_final, methods=["POST"]),
            Route(f"{at}/final/{{name}}", self.final_file),
            Route("/stop", self.stop, methods=["POST"]),
        ]

    # ----------------------------------------------------------------------- pages

    def list_page(self, request: Request) -> Response:
        """Return one page of the list; only its rows where the page itself asks."""
        if self.catalogue.single:
            return RedirectResponse(f"/study/{quote(next(iter(self.catalogue.studies)))}", 303)
        query = query_of(request.query_params)
        page = self.catalogue.page(query, self.library)
        reviews = {row.study: self.library.reviewed(row) for row in page.rows}
        rows = [row.after(reviews[row.study].decisions) for row in page.rows]
        context = {
            "query": query,
            "page": page,
            "rows": rows,
            "n_all": len(self.catalogue.studies),
            "states": {study: review.state for study, review in reviews.items()},
            "shapes": STATUS_SHAPE,
            "link": partial(_link, query),
            "sorts": SORTS,
            "labels": LABELS,
            "qualities": QUALITIES,
            "review_states": STATUS_SHAPE,
            "of_node": self.catalogue.of_node,
        }
        part = _wants_part(request)
        return self._html("rows.html" if part else "list.html", context)

    def node_page(self, request: Request) -> Response:
        """Return what the node that writes this folder is at; only the table where it asks."""
        from mrs_disc.review.node import node_context

        if not self.catalogue.of_node:
            return self._problem(404, "No node writes this folder.")
        context = node_context(self.catalogue)
        return self._html("node_rows.html" if _wants_part(request) else "node.html", context)

    def study_page(self, request: Request) -> Response:
        """Return the page of one study."""
        from mrs_disc.review.final import reference_for
        from mrs_disc.review.views import study_context  # the drawing libraries load here

        query = query_of(request.query_params)
        study = self._study(request)
        reference = reference_for(study.row.study, self.dicom_reference)
        context = study_context(study, study.review())
        found = self.catalogue.found(query, self.library)
        found = [row for row in found if not row.failure]
        place = next((n for n, row in enumerate(found) if row.study == study.row.study), None)
        context |= {
            "back": _link(query),
            "query_text": _query_text(query),
            "before": found[place - 1].study if place else None,
            "after": found[place + 1].study
            if place is not None and place + 1 < len(found)
            else None,
            "place": None if place is None or len(found) < 2 else place + 1,
            "n_found": len(found),
            "patient": patient_of(study.folder, reference) if self.show_patient else "",
            "dicom_from": harmless(reference.name, 200) if reference is not None else "",
        }
        return self._html("study.html", context)

    def summary(self, request: Request) -> Response:
        """Return what an act changes on the study page."""
        from mrs_disc.review.views import summary_context

        study = self._study(request)
        return self._html("changed.html", summary_context(study, study.review()))

    def static_file(self, request: Request) -> Response:
        """Return one of the package's own files, held in memory."""
        found = self.static.get(request.path_params["name"])
        if found is None:
            return self._problem(404, "There is no such file.")
        headers = {"cache-control": "private, max-age=3600"}
        return Response(found[0], media_type=found[1], headers=headers)

    # ----------------------------------------------------------------------- data

    def spectrum(self, request: Request) -> Response:
        """Return the curves of one level."""
        study, level = self._level(request)
        arrays = study.signals.levels.get(level.key)
        if arrays is None or not level.measured:
            return _error(404, f"{level.title} has no spectrum. {study.signals_problem}".strip())
        try:
            broadening = float(request.query_params.get("broadening", "0"))
        except ValueError:
            broadening = -1.0
        if not 0 <= broadening <= MAX_BROADENING_HZ:
            return _error(400, f"broadening: 0 to {MAX_BROADENING_HZ:g} Hz")
        curves = spectrum_json(level, arrays, study.height, broadening)
        if (named := study.review().names.get(level.level)) is not None:
            curves["title"] = replace(level, level=named.now).title
        return JSONResponse(curves)

    def anatomy(self, request: Request) -> Response:
        """Return the anatomy slice, or one of its neighbours, as a PNG."""
        from mrs_disc.review.views import anatomy_png

        study = self._study(request)
        if study.signals.anatomy is None:
            return _error(404, "this study has no anatomy image")
        wanted, slices = request.query_params.get("slice"), study.signals.anatomy.slices
        count = 1 if slices is None else len(slices)
        if wanted is not None and not (wanted.isdecimal() and int(wanted[:6]) < count):
            return _error(400, f"slice: 0 to {count - 1}")
        number = int(wanted) if wanted is not None else None
        return Response(anatomy_png(study.signals.anatomy, number), media_type="image/png")

    def concordance(self, request: Request) -> Response:
        """Return how a level's score agrees with morphology that is being entered."""
        study, _ = self._level(request)
        given = _values(request.query_params)
        nothing = {"act": "morphology", "key": "", "reviewer": "reader"}
        nothing |= {"head": "0" * 64, "results_sha256": "0" * 64}
        if foreign := sorted(given.keys() & nothing.keys()):  # nobody names an act in an address
            raise InputError(f"{foreign[0]}: is no part of what the images show")
        act = sent(json.dumps(nothing | given).encode())
        assert isinstance(act, MorphologySent)
        levels = study.reviewed(study.review()).levels
        key = request.path_params["key"]
        after = next(level for level in levels if analysed_key(level) == key)
        words = concordance(replace(after, morphology=Morphology(**act.morphology)))
        return JSONResponse({"concordance": harmless(words, 400)})

    def state(self, request: Request) -> Response:
        """Return where the log stands, for a window that comes to the front."""
        study = self._study(request)
        return JSONResponse(_state(study))

    # ----------------------------------------------------------------------- changes

    async def act(self, request: Request) -> Response:
        """Save one act; answer only when it is on disk."""
        body = await request.body()
        return await run_in_threadpool(self._save, request, body)

    def _save(self, request: Request, body: bytes) -> Response:
        act = sent(body)
        study = self._study(request)
        if act.results_sha256 != study.sha256:
            words = "these results were analysed anew; load the page again. Nothing was saved."
            return _error(409, words, **_state(study))
        time = self.now()
        try:
            log = append_act(
                study.folder,
                act.head,
                study.sha256,
                time,
                lambda log: fields_of(act, study.results, log, study.sha256, time),
            )
        except StaleError as error:
            return _error(409, str(error), **_state(study))
        self.library.reviewed(study.row)  # the list follows
        return JSONResponse(_state(study) | {"saved": True, "n": len(log.acts), "time": time})

    async def make_final(self, request: Request) -> Response:
        """Make the final PDF or DICOM of a signed study."""
        body = await request.body()
        return await run_in_threadpool(self._make_final, request, body)

    def _make_final(self, request: Request, body: bytes) -> Response:
        from mrs_disc.review.final import make_final

        study = self._study(request)
        made = make_final(study, _format_of(body), self.dicom_reference, self.now)
        base = f"/study/{quote(study.row.study)}/final"
        return JSONResponse({"files": {path.name: f"{base}/{path.name}" for path in made}})

    def final_file(self, request: Request) -> Response:
        """Return a final file, looked up among those that this study has."""
        from mrs_disc.review.final import final_files

        study = self._study(request)
        found = final_files(study).get(request.path_params["name"])
        if found is None:
            return self._problem(404, "There is no such file.")
        kind = "application/pdf" if found.suffix == ".pdf" else "application/dicom"
        headers = {"content-disposition": f'inline; filename="{found.name}"'}
        return Response(found.read_bytes(), media_type=kind, headers=headers)

    def stop(self, request: Request) -> Response:
        """End the server, after this answer."""
        self.stop_server()
        return JSONResponse({"stopped": True})

    # ----------------------------------------------------------------------- helpers

    def _study(self, request: Request) -> LoadedStudy:
        row: StudyRow | None = self.catalogue.studies.get(request.path_params["study"])
        if row is None:
            raise MissingError("There is no such study.")
        try:
            return self.library.open(row)
        except ReadError as error:
            raise InputError(
                f"{row.study}: {error.path.name} {error.problem}. Analyse this study again."
            ) from None

    def _level(self, request: Request) -> tuple[LoadedStudy, Level]:
        study = self._study(request)
        try:
            return study, study.level(request.path_params["key"])
        except InputError as error:
            raise MissingError(str(error)) from None

    def _html(self, template: str, context: Mapping[str, Any], status: int = 200) -> Response:
        return HTMLResponse(self.templates.get_template(template).render(context), status)

    def _problem(self, status: int, message: str) -> Response:
        return self._html("problem.html", {"message": harmless(message)}, status)

    def on_input_error(self, request: Request, error: Exception) -> Response:
        """Answer what a person can mend: one sentence, as page or JSON."""
        status = 404 if isinstance(error, MissingError) else 422
        if isinstance(error, OutputError):
            status = 507
        if request.method == "POST" or request.url.path.count("/") > 2:
            return _error(status, str(error))
        return self._problem(status, str(error))


class MissingError(InputError):
    """An address names what is not in the table."""


def query_of(parameters: Mapping[str, str]) -> Query:
    """Return the query of an address; what is not one of the choices is passed over."""

    def one_of(name: str, known: Any) -> str:
        value = parameters.get(name, "")
        return value if value in known else ""

    page = parameters.get("page", "")
    sort = one_of("sort", SORTS) or "worst"
    return Query(
        search=parameters.get("q", "")[:100].strip(),
        label=one_of("label", LABELS),
        quality=one_of("quality", QUALITIES),
        review=one_of("review", STATUS_SHAPE),
        sort=next(known for known in SORTS if known == sort),
        page=int(page) if page.isdecimal() and len(page) < 7 else 1,
    )


def _query_text(query: Query, page: int | None = None) -> str:
    values = {
        "q": query.search,
        "label": query.label,
        "quality": query.quality,
        "review": query.review,
        "sort": "" if query.sort == "worst" else query.sort,
        "page": (page or query.page) if (page or query.page) > 1 else "",
    }
    text = urlencode({k: v for k, v in values.items() if v})
    return f"?{text}" if text else ""


def _link(query: Query, page: int | None = None) -> str:
    return "/" + _query_text(query, page)


def _wants_part(request: Request) -> bool:
    headers = request.headers
    return "hx-request" in headers and "hx-history-restore-request" not in headers


def _values(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of an address, each a short JSON value."""
    try:
        return {k: json.loads(v) for k, v in parameters.items() if len(v) < 40}
    except (ValueError, RecursionError):
        raise InputError("a value of the address is not JSON") from None


def _format_of(body: bytes) -> str:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("format") not in ("pdf", "dicom"):
        raise InputError("format: 'pdf' or 'dicom' expected")
    return str(content["format"])


def _state(study: LoadedStudy) -> dict[str, Any]:
    review = study.review()
    return {
        "head": review.head,
        "n_acts": review.n_acts,
        "status": review.status,
        "words": review.words,
        "results_sha256": study.sha256,
    }


def _error(code: int, message: str, /, **more: Any) -> Response:
    return JSONResponse({"error": message, **more}, code)


def create_app(
    catalogue: Catalogue,
    door: Door,
    stop: Callable[[], None],
    now: Callable[[], str] = utc_now,
    dicom_reference: Path | None = None,
    library: Library | None = None,
    show_patient: bool = False,
) -> Guard:
    """Return the page's application behind the guard, which stands outside of everything."""
    server = Server(catalogue, library or Library(), stop, now, dicom_reference, show_patient)
    app = Starlette(
        routes=server.routes(),
        exception_handlers={
            InputError: server.on_input_error,
            OutputError: server.on_input_error,
            404: lambda request, _: server._problem(404, "There is no such page."),
        },
    )
    return Guard(app, door)
