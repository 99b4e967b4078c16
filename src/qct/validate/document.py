"""The acceptance report as pure data, and as JSON."""

import json
from dataclasses import asdict
from typing import Any

from qct.quantities import QUANTITIES
from qct.regions import LOBES
from qct.report.document import (
    Blank,
    Block,
    Box,
    Document,
    Facts,
    Figure,
    Heading,
    NewPage,
    Paragraph,
    Table,
)
from qct.validate.figures import acquisition_effects, bland_altman, error_against_truth
from qct.validate.judge import Outcome, load_limits
from qct.validate.run import Validation

LUNGS = ("whole_lung", "right_lung", "left_lung")
PLOTS = (
    ("volume_ml", LUNGS, "sampled"),
    ("volume_ml", tuple(lobe.key for lobe in LOBES), "sampled"),
    ("mean_hu", LUNGS, "sampled"),
    ("perc15_hu", LUNGS, "imaged"),
    ("laa950_percent", LUNGS, "sampled"),
    ("laa_cluster_d", ("whole_lung",), "sampled"),
)
"""What is plotted: quantity, regions, truth."""

WORD = {True: "pass", False: "FAIL", None: "not measured"}


def acceptance_document(validation: Validation) -> Document:
    """Lay the report out."""
    day = validation.started.date().isoformat()
    return Document(
        title="Acceptance report: digital chests of known answers",
        language="en",
        paper="a4",
        dated=day,
        banner="Test of the software with digital phantoms; no patient was measured.",
        watermark="",
        footer=f"qct {validation.installation.get('qct', '')}",
        identity=f"{validation.kind} validation, {validation.started:%Y-%m-%d %H:%M %z}",
        blocks=(
            *_summary(validation),
            *_plots(validation),
            *_effects(validation),
            *_details(validation),
            *_signature(),
        ),
    )


def _summary(validation: Validation) -> tuple[Block, ...]:
    counts = {
        word: sum(o.passed is word for o in validation.outcomes) for word in (True, False, None)
    }
    says = [
        f"{counts[True]} limits met, {counts[False]} missed, {counts[None]} not measured by this version."
    ]
    says += [f"{case} was not measured: {why}" for case, why in validation.failures.items()]
    tone, title = ("good", "Passed") if validation.passed else ("stop", "Not passed")
    header = (
        "Number",
        "Where",
        "Truth",
        "n",
        "Bias",
        "Precision",
        "Mean abs.",
        "Worst",
        "Limit",
        "Result",
    )
    return (
        Box(tone, title, tuple(says)),
        Heading("Limits"),
        Table(
            header,
            tuple(_cells(one) for one in validation.outcomes),
            note="Errors are measured less true. Bias is their mean, precision their standard deviation; in % "
            "of the truth where the limit says so. Truth 'sampled' is the noise-free image inside the "
            "true regions, 'imaged' the same with noise, 'model' the drawn tree.",
            strong=frozenset(k for k, o in enumerate(validation.outcomes) if o.passed is False),
            words=frozenset({1, 2, 8, 9}),
            name="Limits and whether they are met",
        ),
        Heading("Why these limits"),
        Table(
            ("Number", "Limit", "Reason"),
            tuple((_label(o.quantity), _limit(o), o.reason) for o in validation.outcomes),
            words=frozenset({1, 2}),
            name="Reasons of the limits",
        ),
    )


def _label(quantity: str) -> str:
    return QUANTITIES[quantity].label if quantity in QUANTITIES else quantity.replace("_", " ")


def _limit(one: Outcome) -> str:
    return f"{one.limit} {one.unit}".strip()


def _cells(one: Outcome) -> tuple[str, ...]:
    where = (
        "lobes"
        if len(one.regions) == len(LOBES)
        else "lungs"
        if len(one.regions) > 1
        else one.regions[0]
    )
    shown = where.replace("_", " ")
    numbers = (one.bias, one.precision, one.mean_absolute, one.worst)
    cells = ("" if value is None else f"{value:.2f}" for value in numbers)
    missing = f" (-{one.n_missing})" if one.n_missing else ""
    return (
        _label(one.quantity),
        shown,
        one.truth,
        f"{one.n}{missing}",
        *cells,
        _limit(one),
        WORD[one.passed],
    )


def _effects(validation: Validation) -> tuple[Block, ...]:
    drawn = acquisition_effects(validation.rows, load_limits()["published"])
    if drawn is None:
        return ()
    sources = sorted({one["source"] for one in load_limits()["published"]})
    told = (
        "What kernel, thickness and dose do to LAA-950: every region of a digital person against itself with "
        "the standard kernel and thin slices; stars are means of patients "
        f"({', '.join(sources)} in docs/references.md)."
    )
    return (Heading("Kernel and slice thickness"), Figure("acquisition_effects", drawn, told))


def _plots(validation: Validation) -> tuple[Block, ...]:
    return (
        NewPage(),
        Heading("Agreement with the truth"),
        Figure(
            "bland_altman",
            bland_altman([r for r in validation.rows if r.purpose == "judged"], PLOTS),
            "Bland-Altman plots of the judged cases: mean difference (line), 1.96 SD (dashed).",
        ),
        Figure(
            "error_against_truth",
            error_against_truth(validation.rows, PLOTS),
            "Error against truth; judged cases blue, other acquisitions orange unless the number was withheld.",
        ),
    )


def _details(validation: Validation) -> tuple[Block, ...]:
    chosen = [
        row
        for row in validation.rows
        if row.region == "whole_lung"
        and row.quantity in ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent", "laa_cluster_d")
    ]
    cells = tuple(
        (
            row.case,
            _label(row.quantity),
            "-" if row.measured is None else f"{row.measured:.2f}",
            *(
                f"{row.truth[w]:.2f}" if w in row.truth else ""
                for w in ("model", "sampled", "imaged")
            ),
            row.status.replace("_", " "),
        )
        for row in chosen
    )
    facts = tuple((name, value) for name, value in validation.installation.items())
    return (
        Heading("Cases, both lungs"),
        Table(
            ("Case", "Number", "Measured", "Model", "Sampled", "Imaged", "Status"),
            cells,
            words=frozenset({1, 6}),
            name="Every case",
        ),
        Paragraph("Every number of every region is in validation.json."),
        Heading("What was tested, and where"),
        Facts(
            (
                *facts,
                ("Cases", str(len(validation.cases))),
                ("Duration", f"{validation.seconds:.0f} s"),
            )
        ),
    )


def _signature() -> tuple[Block, ...]:
    return (Heading("Accepted by"), Blank("Name, function", 1), Blank("Date, signature", 1))


def as_json(validation: Validation) -> str:
    """Return everything, for machines."""
    told: dict[str, Any] = {
        "started": validation.started.isoformat(),
        "kind": validation.kind,
        "passed": validation.passed,
        "seconds": validation.seconds,
        "installation": dict(validation.installation),
        "failures": dict(validation.failures),
        "outcomes": [asdict(one) for one in validation.outcomes],
        "cases": [
            {"name": c.name, "purpose": c.purpose, "spec": asdict(c.spec)} for c in validation.cases
        ],
        "rows": [asdict(row) for row in validation.rows],
    }
    return json.dumps(told, indent=1, default=dict) + "\n"
