"""Who was scanned, how, and what people said: facts as a report names them. Nothing is made up."""

from collections.abc import Iterable
from dataclasses import fields

from qct.acquisition import Patient
from qct.findings import Analysis
from qct.flags import Flag
from qct.order import Order
from qct.report.signed import readable_name
from qct.report.wording import NO_BREAK_SPACE, Wording

SEXES = {"M": "male", "F": "female", "O": "other"}

NOTHING = ("none", "null", "unknown", "n/a", "na", "anonymized", "anonymous")
"""What some programs write into a header where there is nothing to say."""

Rows = tuple[tuple[str, str], ...]


def given(text: str | None) -> str | None:
    """Return a header's text, or None where it only says that there is none."""
    if text is None or text.strip().lower() in NOTHING:
        return None
    return readable_name(text) or None


def measure(value: float | None, unit: str, say: Wording, decimals: int = 0) -> str | None:
    """Print a quantity of the header."""
    if value is None:
        return None
    return f"{say.number(f'{value:.{decimals}f}')}{NO_BREAK_SPACE}{unit}"


def facts(rows: Iterable[tuple[str, str | None]], say: Wording) -> Rows:
    """Name values; what is not known is said to be so."""
    return tuple((say(f"facts.{key}"), value or say("not_stated")) for key, value in rows)


def identity(analysis: Analysis) -> str:
    """Say whose report this is, for the head of every page: loose pages must not be mixed up."""
    patient, study = analysis.scan.patient, analysis.scan.study
    name = readable_name(patient.name) if patient.name else None
    known = (name, patient.patient_id, study.date, study.accession)
    return " · ".join(dict.fromkeys(part for part in known if part))


def person_in_words(patient: Patient, say: Wording) -> str | None:
    """Return age, sex and height: what reference values ask for. What is not known is said to be so."""
    sex, age = SEXES.get(patient.sex or ""), patient.age_years
    height = measure(patient.height_m, "m", say, 2)
    if not (sex or age or height):
        return None
    known = (
        say("words.age_unknown") if age is None else say("words.years", value=f"{age:.0f}"),
        say(f"words.{sex}") if sex else say("words.sex_unknown"),
        height,
    )
    return ", ".join(part for part in known if part)


def series_in_words(analysis: Analysis, say: Wording) -> str | None:
    """Return which series was measured, in one line."""
    made = analysis.scan.acquisition
    number = None if made.series_number is None else str(made.series_number)
    kernel = kernel_in_words(made.recon_kernel, say)
    known = (number, given(made.series_description), measure(made.slice_mm, "mm", say, 2), kernel)
    return ", ".join(part for part in known if part) or None


def kernel_in_words(name: str | None, say: Wording) -> str:
    """Name a kernel, or say that nobody does."""
    return say("words.kernel_short", name=name) if name else say("words.kernel_unnamed")


def earlier_in_words(analysis: Analysis, say: Wording) -> str:
    """Return which earlier scans were compared, by their days."""
    if not analysis.changes:
        return say("words.none_compared")
    points = analysis.changes[0].points[:-1]
    return ", ".join(point.date or point.name for point in points)


def patient_facts(analysis: Analysis, say: Wording) -> Rows:
    """Return everything that the header says of patient and study."""
    patient, study = analysis.scan.patient, analysis.scan.study
    return facts(
        (
            ("birth_date", patient.birth_date),
            ("weight", measure(patient.weight_kg, "kg", say)),
            ("time", study.time),
            ("institution", given(study.institution)),
        ),
        say,
    )


def uids_in_words(analysis: Analysis, say: Wording) -> str:
    """Return study and series UID in one line: each is too long for a column."""
    uids = {
        "study_uid": analysis.scan.study.study_uid,
        "series_uid": analysis.scan.acquisition.series_uid,
    }
    return "; ".join(f"{say(f'facts.{key}')} {uid}" for key, uid in uids.items() if uid)


def technique(analysis: Analysis, say: Wording) -> Rows:
    """Return how the series was made."""
    made, volume = analysis.scan.acquisition, analysis.scan.volume
    dz, dy, dx = volume.spacing_mm
    scanner = " ".join(part for part in map(given, (made.manufacturer, made.model)) if part)
    slices = say(
        "words.slices",
        n=volume.shape[0],
        thickness=measure(made.slice_mm, "mm", say, 2) or say("not_stated"),
        spacing=measure(dz, "mm", say, 2),
    )
    pixel = say("words.pixel", x=say.number(f"{dx:.2f}"), y=say.number(f"{dy:.2f}"))
    return facts(
        (
            ("scanner", scanner),
            ("kvp", measure(made.kvp, "kV", say)),
            ("exposure", measure(made.exposure_mas, "mAs", say)),
            ("dose", measure(made.ctdi_vol_mgy, "mGy", say, 1)),
            ("kernel", _kernel(analysis, say)),
            ("slices", slices),
            ("pixel", pixel),
            ("position", made.patient_position),
            ("calibration", _calibration(analysis, say)),
        ),
        say,
    )


def _kernel(analysis: Analysis, say: Wording) -> str | None:
    made = analysis.scan.acquisition
    if not made.recon_kernel:
        return None
    family = say(f"kernels.{made.kernel_family.value}")
    shown = say("words.kernel", name=made.recon_kernel, family=family)
    return shown + (say("words.iterative") if made.is_iterative else "")


def contrast_in_words(analysis: Analysis, say: Wording) -> str | None:
    """Return whether contrast medium was given, as far as the header tells."""
    made = analysis.scan.acquisition
    if made.has_contrast is None:
        return None
    if not made.has_contrast:
        return say("words.contrast_no")
    if made.contrast_agent:
        return say("words.contrast_yes", agent=made.contrast_agent)
    return say("words.contrast_yes_unnamed")


def inspiration_in_words(analysis: Analysis, say: Wording) -> str | None:
    """Return how full the lungs are against what is predicted; None where nothing tells."""
    if any(one.flag is Flag.EXPIRATION for one in analysis.verdict.reasons):
        return say("words.in_doubt")
    rows = (one for one in analysis.references if one.quantity == "volume_ml")
    share = next((one.percent_predicted for one in rows if one.percent_predicted), None)
    return None if share is None else say("words.of_tlc", value=f"{share:.0f}")


def _calibration(analysis: Analysis, say: Wording) -> str | None:
    read = analysis.verdict.calibration_hu
    keys = [key for key in ("outside_air", "tracheal_air") if key in read]
    told = (say(f"words.{key}", value=say.number(f"{read[key]:.0f}")) for key in keys)
    return ", ".join(told) or None


def order_facts(order: Order, say: Wording) -> Rows:
    """Return what people said, in their words; what nobody said is left out."""
    rows: list[tuple[str, str | None]] = [
        ("question", order.question),
        ("indication", order.indication),
        ("history", order.history),
        ("medications", ", ".join(order.medications)),
        ("smoking", _smoking(order, say)),
        ("spirometry", _spirometry(order, say)),
        ("gold", order.spirometry.gold),
        ("visual", _visual(order, say)),
        ("facility", order.facility),
        ("order", " ".join(map(str, filter(None, (order.order_number, order.order_date))))),
        ("comparison", order.reading.comparison),
    ]
    return tuple((say(f"facts.{key}"), value) for key, value in rows if value)


def _smoking(order: Order, say: Wording) -> str:
    said = order.smoking
    pack_years = None if said.pack_years is None else say.number(f"{said.pack_years:g}")
    known = (
        said.status and say(f"smoking.{said.status}"),
        pack_years and say("smoking.pack_years", value=pack_years),
        said.quit_year and say("smoking.quit", value=said.quit_year),
    )
    return ", ".join(part for part in known if part)


def _spirometry(order: Order, say: Wording) -> str:
    said, parts = order.spirometry, []
    for name, litres, percent in (
        ("FEV1", said.fev1_l, said.fev1_percent),
        ("FVC", said.fvc_l, said.fvc_percent),
    ):
        values = (
            None if litres is None else say.number(f"{litres:.2f} L"),
            None if percent is None else say("words.of_predicted", value=f"{percent:.0f}"),
        )
        known = ", ".join(value for value in values if value)
        parts += [f"{name} {known}"] if known else []
    if parts and said.tested_on:
        parts.append(str(said.tested_on))
    return "; ".join(parts)


def _visual(order: Order, say: Wording) -> str:
    said = {one.name: getattr(order.visual, one.name) for one in fields(order.visual)}
    return "; ".join(say(f"visual.{name}", grade=grade) for name, grade in said.items() if grade)
