"""What an ``analysis.json`` says that coding needs; whatever is absent stays None."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from qct.acquisition import Acquisition, Patient, Study
from qct.regions import LOBES
from qct.signature import Signature

ANALYSED_KEYS = (
    "started",
    "analysis_date",
    "analysed_at",
    "analyzed_at",
    "created",
    "created_at",
    "date",
)
"""Names under which the day of the analysis may stand, at the top or under ``software``."""

REFERENCE_KEYS = ("reference", "z_score", "percentile", "predicted", "lower_limit")
"""Any of these beside a number means that it is set against reference values."""

UNCERTAINTY_KEYS = ("uncertainty", "least_detectable_change", "error", "interval")
"""Any of these beside a number means that its uncertainty is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """What is known of one analysed study.

    Attributes
    ----------
    lobes_measured : tuple of str
        Keys of the lobes with at least one number that is not withheld.
    gate : str or None
        Overall verdict of the acquisition.
    segmentation, confidence : str or None
        Method of segmentation, and how far it is trusted, in words.
    """

    patient: Patient = field(default_factory=Patient)
    study: Study = field(default_factory=Study)
    acquisition: Acquisition = field(default_factory=Acquisition)
    spacing_mm: float | None = None
    inspiration: str | None = None
    analysis_date: date | None = None
    gate: str | None = None
    gate_reasons: tuple[str, ...] = ()
    software: str | None = None
    parameters: str | None = None
    profile: str | None = None
    segmentation: str | None = None
    confidence: str | None = None
    lobes_measured: tuple[str, ...] = ()
    has_reference: bool = False
    has_uncertainty: bool = False
    has_priors: bool = False
    n_key_images: int = 0
    limitations: tuple[str, ...] = ()
    addenda: int = 0
    signature: Signature | None = None
    """What a physician signed; it goes before what the order says of reading and signer."""

    @property
    def study_date(self) -> date | None:
        """Day of the CT: of the acquisition if known, else of the study."""
        return day(self.acquisition.date) or day(self.study.date)

    @classmethod
    def from_analysis(
        cls,
        document: Mapping[str, Any],
        *,
        n_key_images: int = 0,
        signature: Signature | None = None,
    ) -> "StudyFacts":
        """Pick the facts out of a parsed ``analysis.json``; unknown and missing keys do no harm.

        Parameters
        ----------
        document : mapping
        n_key_images : int
            Pictures in the report beside it.
        signature : Signature, optional
            Of the report beside it.
        """
        verdict, options = _table(document, "verdict"), _table(document, "options")
        numbers = _numbers(document.get("regions"))
        reasons = tuple(_says(one) for one in _list(verdict.get("reasons")))
        return cls(
            patient=_noun(Patient, document, "patient"),
            study=_noun(Study, document, "study"),
            acquisition=_noun(Acquisition, document, "acquisition"),
            spacing_mm=_spacing(document),
            inspiration=_text(_table(document, "acquisition").get("inspiration")),
            analysis_date=_analysed(document),
            gate=_text(verdict.get("overall")),
            gate_reasons=reasons,
            software=_pairs(_table(document, "software"), only=("qct",)),
            parameters=_pairs(options),
            profile=_text(options.get("profile")),
            segmentation=_method(document, options),
            confidence=_confidence(document),
            lobes_measured=_lobes(numbers),
            has_reference=_any_key(numbers, REFERENCE_KEYS) or _applies(document),
            has_uncertainty=_any_key(numbers, UNCERTAINTY_KEYS)
            or bool(_list(document.get("uncertainties"))),
            has_priors=bool(document.get("changes") or document.get("priors")),
            n_key_images=n_key_images
            or len(_list(document.get("key_images")) or _list(document.get("views"))),
            limitations=tuple(map(_says, _list(document.get("limitations")))) or reasons,
            addenda=len(signature.addenda) if signature else 0,
            signature=signature,
        )


def day(text: object) -> date | None:
    """Read the day of an ISO 8601 or DICOM date; None if it is neither."""
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(text.strip()[: 10 if "-" in text else 8])
    except ValueError:
        return None


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _says(one: object) -> str:
    """Sentence of a reason, given as text or as a table with ``says``."""
    return str(one.get("says") or one.get("flag") or "") if isinstance(one, Mapping) else str(one)


def _noun(kind: Any, document: Mapping[str, Any], key: str) -> Any:
    """Fill a noun of `qct.acquisition` with those fields that are there."""
    said = _table(document, key)
    return kind(**{k: v for k, v in said.items() if k in kind.__dataclass_fields__ and v != ""})


def _pairs(table: Mapping[str, Any], only: tuple[str, ...] = ()) -> str | None:
    """Join a table to text, leaving out what is empty."""
    shown = [f"{k} {v}" for k, v in table.items() if v is not None and (not only or k in only)]
    return ", ".join(shown) or None


def _spacing(document: Mapping[str, Any]) -> float | None:
    """Slice spacing in mm, wherever the document keeps it."""
    for key in ("grid", "volume", "acquisition"):
        value = _table(document, key).get("spacing_mm")
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int | float):
            return float(value)
    return None


def _analysed(document: Mapping[str, Any]) -> date | None:
    tables = (document, _table(document, "software"))
    days = (day(table.get(key)) for table in tables for key in ANALYSED_KEYS)
    return next((one for one in days if one is not None), None)


def _method(document: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
    method = _table(_table(document, "segmentation"), "method")
    return _text(method.get("name")) or _pairs(method) or _text(options.get("segmenter"))


def _confidence(document: Mapping[str, Any]) -> str | None:
    """How far the lobe borders are supported by seen fissures."""
    fits = _table(document, "segmentation").get("fissures") or document.get("fissures")
    if isinstance(fits, Mapping):
        rows = list(fits.items())
    else:
        rows = [(_text(one.get("fissure")), one) for one in _list(fits) if isinstance(one, Mapping)]
    said = [
        f"{name}: {one['support']}"
        for name, one in rows
        if isinstance(one, Mapping) and _text(one.get("support"))
    ]
    return "; ".join(said) or None


def _numbers(regions: object) -> list[tuple[str, Mapping[str, Any]]]:
    """Every number as (region, row), from a table of tables or a list of rows."""
    pairs = (
        list(regions.items())
        if isinstance(regions, Mapping)
        else [(_region_key(one), one) for one in _list(regions)]
    )
    return [(region, row) for region, inside in pairs for row in _rows(inside)]


def _region_key(one: object) -> str:
    if not isinstance(one, Mapping):
        return ""
    return str(one.get("region") or one.get("key") or "")


def _rows(inside: object) -> list[Mapping[str, Any]]:
    """Rows of one region; a bare number counts as a row with a value."""
    if isinstance(inside, Mapping) and "value" in inside:
        return [inside]
    values = inside.values() if isinstance(inside, Mapping) else _list(inside)
    rows: list[Mapping[str, Any]] = []
    for one in values:
        if isinstance(one, Mapping) and "value" in one:
            rows.append(one)
        elif isinstance(one, Mapping | list):
            rows += _rows(one)
        elif isinstance(one, int | float) and not isinstance(one, bool):
            rows.append({"value": one})
    return rows


def _lobes(numbers: list[tuple[str, Mapping[str, Any]]]) -> tuple[str, ...]:
    """Lobes with at least one number that may be shown."""
    shown = {
        region
        for region, row in numbers
        if row["value"] is not None and row.get("status") not in ("withheld", "not_measured")
    }
    return tuple(lobe.key for lobe in LOBES if lobe.key in shown)


def _applies(document: Mapping[str, Any]) -> bool:
    """Tell whether a reference value applies to this person and scan."""
    rows = _list(document.get("references"))
    return any(isinstance(one, Mapping) and not one.get("refused") for one in rows)


def _any_key(numbers: list[tuple[str, Mapping[str, Any]]], keys: tuple[str, ...]) -> bool:
    return any(row.get(key) is not None for _, row in numbers for key in keys)
