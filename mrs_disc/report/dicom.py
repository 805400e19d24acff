"""DICOM objects of a report: Encapsulated PDF, TID 1500 measurement report, page 1 as image.

Patient and study come from the input where that is DICOM, else from a file that the user names and
that `patient` has held against the data. The report is
UNVERIFIED until a person signs it on the review page. Identifiers are made from the record, its
review, the study and the day of writing: the same report has the same identifiers, and one that
differs has others.

Decision: one item of measurements a level (TID 1501), with the disc as finding site, so that a
reader needs no private knowledge to tell levels apart. What has no standard code is 99MRSDISC.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from mrs_disc._version import __version__
from mrs_disc.errors import InputError
from mrs_disc.record.level import Level, Results
from mrs_disc.record.parts import Metabolite, Quantity
from mrs_disc.report import dicom_codes as codes
from mrs_disc.report.content import View, clinical_rows
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.patient import TYPE_2, read_reference
from mrs_disc.report.pdf import page_png, pdf_bytes
from mrs_disc.report.said import addenda, automatic_lines, edited_words, impression_lines
from mrs_disc.report.words import harmless

try:
    import numpy as np
    from highdicom import sr
    from highdicom.sc import SCImage
    from highdicom.sr.coding import CodedConcept
    from PIL import Image
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian
except ImportError as error:  # pragma: no cover - depends on the installation
    raise InputError(
        f"DICOM output needs the package {error.name}; "
        "install it with pip install 'mrs-disc[dicom]'"
    ) from error

MANUFACTURER = "mrs_disc (research software)"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_SERIES = {"pdf": 9901, "sr": 9902, "capture": 9903}


def render(view: View) -> dict[str, bytes]:
    """Return ``dicom/report_pdf.dcm``, ``dicom/report_sr.dcm`` and, on request, page 1.

    Raises
    ------
    InputError
        If no reference is named, or it is not a DICOM file of a patient.
    """
    if view.dicom_reference is None:
        raise InputError("DICOM output needs --dicom-reference FILE")
    reference = read_reference(view.dicom_reference)
    pdf = pdf_bytes(view, view.content)
    files = {
        "dicom/report_pdf.dcm": _bytes(encapsulated_pdf(view, reference, pdf)),
        "dicom/report_sr.dcm": _bytes(measurement_report(view, reference)),
    }
    if view.secondary_capture:
        files["dicom/report_page1.dcm"] = _bytes(secondary_capture(view, reference))
    return files


def tracking_uid(view: View, reference: Dataset, level: Level) -> str:
    """Return the identifier of a level's measurements: the same before and after a signature."""
    record = view.record_sha256 or view.results.recipe_sha256
    text = f"{record}/{reference.StudyInstanceUID}/{level.key}"
    return f"2.25.{uuid5(NAMESPACE_OID, text).int}"


def uid(view: View, reference: Dataset, what: str) -> str:
    """Return the identifier of an object: of record, study, day, software and kind."""
    parts = (
        view.record_sha256 or view.results.recipe_sha256,
        str(reference.StudyInstanceUID),
        view.written.isoformat(),
        __version__,
        view.paper,
        (view.results.review.head or "") if view.results.review is not None else "",
        *(f"{name}={words}" for name, words in view.transmission),
        what,
    )
    return f"2.25.{uuid5(NAMESPACE_OID, '/'.join(parts)).int}"


# --------------------------------------------------------------------------- objects


def encapsulated_pdf(view: View, reference: Dataset, pdf: bytes) -> Dataset:
    """Return the report as an Encapsulated PDF."""
    made = Dataset()
    made.SOPClassUID = ENCAPSULATED_PDF
    made.SOPInstanceUID = uid(view, reference, "pdf")
    for name in TYPE_2:
        value = reference.get(name, "")
        setattr(made, name, "" if value is None else value)
    made.StudyInstanceUID = str(reference.StudyInstanceUID)
    made.Modality = "DOC"
    made.SeriesInstanceUID = uid(view, reference, "pdf series")
    made.SeriesNumber = _SERIES["pdf"]
    made.Manufacturer = MANUFACTURER
    made.ConversionType = "WSD"
    made.InstanceNumber = 1
    made.BurnedInAnnotation = "NO"
    made.AcquisitionDateTime = ""
    made.DocumentTitle = "Disc spectroscopy report, research use only"
    made.ConceptNameCodeSequence = [_code_item(codes.DOCUMENT)]
    made.VerificationFlag = "VERIFIED" if view.results.signed else "UNVERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = pdf + b"\x00" * (len(pdf) % 2)
    made.EncapsulatedDocumentLength = len(pdf)
    _settle(made, view, reference)
    return made


def secondary_capture(view: View, reference: Dataset) -> Dataset:
    """Return the first page of the report as an image."""
    with Image.open(io.BytesIO(page_png(view, view.content))) as image:
        pixels = np.asarray(image.convert("RGB"))
    with _names_as_they_are():
        made: Dataset = SCImage.from_ref_dataset(
            reference,
            pixels,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),
            series_instance_uid=uid(view, reference, "capture series"),
            series_number=_SERIES["capture"],
            sop_instance_uid=uid(view, reference, "capture"),
            instance_number=1,
            manufacturer=MANUFACTURER,
        )
    # asked for on making it, but a page does not lie in the patient
    made.PatientOrientation = made.Laterality = ""
    made.ConversionType = "WSD"
    made.BurnedInAnnotation = "NO"
    del made.DateOfSecondaryCapture, made.TimeOfSecondaryCapture
    _settle(made, view, reference)
    return made


@contextmanager
def _names_as_they_are() -> Iterator[None]:
    """Leave the patient's name as the reference has it, without highdicom's advice on it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The string .* person name", category=UserWarning)
        yield


def _code_item(concept: codes.Concept) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = concept
    return item


# --------------------------------------------------------------------------- structured report


def measurement_report(view: View, reference: Dataset) -> Dataset:
    """Return the TID 1500 measurement report as an Enhanced SR, complete and unverified."""
    results = view.results
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=_observer(view, reference)
        ),
        procedure_reported=_coded(codes.PROCEDURE),
        imaging_measurements=[_group(view, reference, level) for level in results.levels],
        title=_coded(codes.REPORT),
    )
    _add_impression(content, results)
    with _names_as_they_are():
        made = sr.EnhancedSR(
            evidence=[reference],
            content=content,
            series_instance_uid=uid(view, reference, "sr series"),
            series_number=_SERIES["sr"],
            sop_instance_uid=uid(view, reference, "sr"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            is_complete=True,
            previous_versions=_amended(view, reference),
            **_signature(results),
        )
    _settle(made, view, reference)
    return made


def _amended(view: View, reference: Dataset) -> list[Dataset] | None:
    """Return the document that this one amends, if it is of the same patient and study.

    Raises
    ------
    InputError
        If it is of another.
    """
    if view.predecessor is None:
        return None
    before = read_reference(view.predecessor)
    names = ("PatientID", "StudyInstanceUID")
    if any(str(before.get(n) or "") != str(reference.get(n) or "") for n in names):
        raise InputError("the SR to be amended is of another patient or study")
    return [before]


def _signature(results: Results) -> dict[str, Any]:
    """Return how far the report is confirmed, and by whom: the name that was typed to sign."""
    if not results.signed or results.review is None:
        return {"is_final": False, "is_verified": False}
    return {
        "is_final": True,
        "is_verified": True,
        "verifying_observer_name": person_name(results.review.signed_by or "not stated"),
        "verifying_organization": "not stated",
    }


def person_name(typed: str) -> str:
    """Return a name that was typed as one component, without the separators of DICOM names.

    >>> person_name("A. B=C^D")
    'A. B C D^'
    """
    return harmless(re.sub(r"[\^=\\\\]+", " ", typed), 60) + "^"


def _settle(made: Dataset, view: View, reference: Dataset) -> None:
    """Take the clock out; name the software, the private scheme and what is not always there."""
    for name in ("IssuerOfPatientID", "StudyDescription"):
        if reference.get(name):
            setattr(made, name, reference.get(name))
    day = view.written.strftime("%Y%m%d")
    made.InstanceCreationDate = made.ContentDate = day
    made.InstanceCreationTime = made.ContentTime = "000000"
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SeriesDescription = "Disc spectroscopy (research)"
    made.ManufacturerModelName = "mrs_disc"
    made.SoftwareVersions = __version__
    for name in ("ContributingEquipmentSequence", "InstitutionName", "InstitutionalDepartmentName"):
        if name in made:
            delattr(made, name)
    scheme = Dataset()
    scheme.CodingSchemeDesignator = codes.PRIVATE
    scheme.CodingSchemeName = codes.PRIVATE_NAME
    scheme.CodingSchemeResponsibleOrganization = "mrs_disc"
    made.CodingSchemeIdentificationSequence = [scheme]
    review = view.results.review
    for observer in made.get("VerifyingObserverSequence", ()):
        stamp = (review.signed_at or "") if review is not None else ""
        observer.VerificationDateTime = "".join(c for c in stamp if c.isdigit()) or f"{day}000000"


def _coded(concept: codes.Concept) -> CodedConcept:
    return CodedConcept(
        value=concept.value, scheme_designator=concept.scheme, meaning=concept.meaning
    )


def _observer(view: View, reference: Dataset) -> sr.ObserverContext:
    return sr.ObserverContext(
        observer_type=CodedConcept("121007", "DCM", "Device"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=uid(view, reference, "device"),
            name="mrs_disc",
            manufacturer_name=MANUFACTURER,
            model_name="mrs_disc",
            serial_number=__version__,
        ),
    )


def _add_impression(content: Any, results: Results) -> None:
    """Put what was given, the impression, and what limits it, into the root of the report."""
    given = "; ".join(f"{name}: {value}" for name, value in clinical_rows(results.clinical))
    for concept, text in (
        (codes.HISTORY, given),
        (codes.IMPRESSION, " ".join(impression_lines(results))),
        *((codes.COMMENT, f"{who}: {' '.join(lines)}") for who, lines in addenda(results)),
        (codes.COMMENT, _automatic(results)),
        (codes.COMMENT, " ".join(results.notices)),
    ):
        if text:
            content[0].ContentSequence.append(_text_item(concept, text))


def _automatic(results: Results) -> str:
    """Return who wrote the impression, and the automatic one; empty where that stands."""
    lines = automatic_lines(results)
    return f"{edited_words(results)}. Automatic impression: {' '.join(lines)}" if lines else ""


def _text_item(concept: codes.Concept, text: str) -> sr.TextContentItem:
    return sr.TextContentItem(
        name=_coded(concept), value=harmless(text, 4000), relationship_type="CONTAINS"
    )


def _group(view: View, reference: Dataset, level: Level) -> Any:
    """Return one level's measurements and judgements (TID 1501)."""
    algorithm = _algorithm(view.results)
    label = codes.LABELS[level.score.label] if level.score is not None else codes.FAILED
    judged = [sr.QualitativeEvaluation(name=_coded(codes.PAIN_SCORE), value=_coded(label))]
    if level.quality is not None:
        verdict = _coded(codes.VERDICTS[level.quality.verdict])
        judged.append(sr.QualitativeEvaluation(name=_coded(codes.QUALITY), value=verdict))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=tracking_uid(view, reference, level), identifier=level.title
        ),
        finding_sites=[sr.FindingSite(anatomic_location=_coded(codes.LEVELS[level.level]))],
        algorithm_id=algorithm,
        measurements=list(_measurements(level)) or None,
        qualitative_evaluations=judged,
    )
    sentence = finding_sentence(level, view.results)
    for text in (f"Findings: {sentence}", *_comments(level)):
        group[0].ContentSequence.append(_text_item(codes.COMMENT, text))
    return group


def _algorithm(results: Results) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name="mrs_disc",
        version=results.software.version,
        parameters=[
            f"recipe SHA-256 {results.recipe_sha256}",
            *(f"{kind} model {name}" for kind, name in results.models.items()),
        ],
    )


def _comments(level: Level) -> list[str]:
    if not level.measured:
        return [
            f"Not measured: {level.error.message}" if level.error is not None else "Not measured"
        ]
    assert level.quality is not None
    assert level.score is not None
    texts = []
    if level.quality.reasons:
        texts.append("Quality: " + "; ".join(level.quality.reasons))
    if level.score.reasons:
        texts.append("Score: " + "; ".join(level.score.reasons))
    if level.review is not None and level.review.words:
        texts.append("Review: " + level.review.words)
    if level.concordance:
        texts.append("Concordance: " + level.concordance)
    return texts


def _measurements(level: Level) -> Iterable[Any]:
    """Yield what a level's numbers are, each with its 95 % interval where there is one."""
    if not level.measured:
        return
    assert level.score is not None
    assert level.quality is not None
    assert level.fit is not None
    score = level.score
    if (ratio := score.evidence) is not None:
        yield _number(codes.LIKELIHOOD_RATIO, ratio.value, codes.NO_UNITS, ratio.low, ratio.high)
    if score.value is not None:
        yield _number(codes.PAIN_PROBABILITY, score.value, codes.NO_UNITS, score.low, score.high)
    if level.quality.snr is not None:
        yield _number(codes.SNR, level.quality.snr, codes.NO_UNITS)
    if level.quality.linewidth_hz is not None:
        yield _number(codes.LINEWIDTH, level.quality.linewidth_hz, codes.HERTZ)
    for name, m in level.fit.metabolites.items():
        concept = codes.amplitude_concept(name)
        yield _bounded(concept, m.amplitude, codes.ARBITRARY, m)
    for name, quantity in (level.quantities or {}).items():
        concept_or_none = codes.quantity_concept(name)
        if concept_or_none is not None and quantity.value is not None:
            unit = codes.unit_concept(quantity.unit)
            yield _bounded(concept_or_none, quantity.value, unit, quantity)


def _bounded(
    concept: codes.Concept, value: float, unit: codes.Concept, found: Metabolite | Quantity
) -> Any:
    """Return a value with its interval; an upper limit as such, never the estimate behind it."""
    if found.limit == "upper" and found.high is not None:
        return sr.Measurement(
            name=_coded(concept), value=_short(found.high), unit=_coded(unit),
            derivation=_coded(codes.UPPER_LIMIT),
        )  # fmt: skip
    return _number(concept, value, unit, found.low, found.high)


def _number(
    concept: codes.Concept,
    value: float,
    unit: codes.Concept,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Return a measurement; the ends of its interval become its upper and lower uncertainty."""
    properties = None
    if low is not None and high is not None and low <= value <= high:
        properties = sr.MeasurementProperties(
            upper_measurement_uncertainty=_short(high - value),
            lower_measurement_uncertainty=_short(value - low),
        )
    made = sr.Measurement(
        name=_coded(concept), value=_short(value), unit=_coded(unit), properties=properties
    )
    for item in made[0].get("ContentSequence", ()):
        # TID 310 asks for the measurement's own unit; highdicom 0.28 writes "no units"
        if item.ValueType == "NUM":
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = [_coded(unit)]
    return made


def _short(value: float) -> float:
    """Return a number of four digits: more than any spectrum tells."""
    return float(f"{value:.4g}")


# --------------------------------------------------------------------------- bytes


def _bytes(made: Dataset) -> bytes:
    """Return a DICOM file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta = meta
    made.preamble = b"\x00" * 128
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
