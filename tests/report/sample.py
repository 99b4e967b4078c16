"""An `Analysis` to show: a toy chest of ellipsoids, with every part of it optional."""

from typing import Any

import numpy as np

from qct.acquisition import Acquisition, KernelFamily, Patient, Study
from qct.findings import (
    Analysis,
    Candidate,
    FissureFit,
    Histogram,
    Measured,
    Reason,
    Scan,
    Segmentation,
    Verdict,
)
from qct.flags import Flag, Status
from qct.interpret import draft, references, uncertainties
from qct.measure.surfaces import render
from qct.measure.views import project, take_views
from qct.options import Options
from qct.quantities import QUANTITIES
from qct.regions import LUNG_REGIONS, Fissure, Label
from qct.volume import Volume

PATIENT = Patient(
    name="DOE^JANE", patient_id="QCT-0001", sex="F", age_years=67, height_m=1.64, weight_kg=61
)
STUDY = Study(
    study_uid="1.2.3",
    accession="A-17",
    description="CT Thorax",
    date="2024-03-05",
    time="10:42:00",
    referrer="ROE^RICHARD",
    institution="General Hospital",
)
ACQUISITION = Acquisition(
    series_uid="1.2.3.4",
    series_number=4,
    series_description="Thorax 1.0 soft",
    manufacturer="ACME",
    model="Scan 64",
    software="V1.2",
    kvp=120,
    exposure_mas=80,
    ctdi_vol_mgy=5.4,
    recon_kernel="B30f",
    kernel_family=KernelFamily.STANDARD,
    is_iterative=False,
    slice_mm=1.0,
    has_contrast=False,
    patient_position="HFS",
    n_slices=64,
)
TYPICAL = {
    "volume_ml": 2456.7,
    "mass_g": 412.3,
    "mean_hu": -845.2,
    "perc15_hu": -942.4,
    "laa950_percent": 12.34,
}
"""One value per quantity; the others of the table get 1.25."""


def chest(*, divided: bool = True) -> tuple[Volume, np.ndarray]:
    """Return a 64 x 96 x 128 chest at 4 x 3 x 3 mm and its labels."""
    z, y, x = np.ogrid[:64, :96, :128]
    hu = np.full((64, 96, 128), -1000, np.int16)
    hu[np.broadcast_to(((y - 48) / 42) ** 2 + ((x - 64) / 60) ** 2 < 1, hu.shape)] = 40
    labels = np.zeros(hu.shape, np.uint8)
    noise = np.random.default_rng(5).normal(0, 45, hu.shape)
    for middle, whole, parts in ((38, 6, (5, 4, 3)), (90, 7, (2, 1))):
        lung = ((z - 30) / 26) ** 2 + ((y - 48) / 30) ** 2 + ((x - middle) / 20) ** 2 < 1
        depth = np.broadcast_to(z + (48 - y) * 0.5, hu.shape)
        labels[lung] = parts[0] if divided else whole
        if divided:
            labels[lung & (depth > 28)] = parts[1]
            if len(parts) == 3:
                labels[lung & (depth > 28) & np.broadcast_to(z > 33, hu.shape)] = parts[2]
        hu[lung] = (np.broadcast_to(-840 - 2 * (z - 20), hu.shape) + noise)[lung]
    tube = np.broadcast_to(((y - 48) / 3) ** 2 + ((x - 64) / 3) ** 2 < 1, hu.shape).copy()
    tube[:40] = False
    hu[tube], labels[tube] = -980, Label.AIRWAY
    return Volume.from_spacing(hu, (4.0, 3.0, 3.0)), labels


def measured(*, status: Status = Status.REPORTED, flags: frozenset[Flag] = frozenset()) -> tuple:
    """Return every quantity of every region; LAA-950 has `status` and `flags`."""
    return tuple(
        Measured(
            region.key,
            key,
            TYPICAL.get(key, 1.25),
            status if key == "laa950_percent" else Status.REPORTED,
            flags if key == "laa950_percent" else frozenset(),
        )
        for region in LUNG_REGIONS
        for key in QUANTITIES
    )


def histograms(volume: Volume, labels: np.ndarray) -> tuple[Histogram, ...]:
    """Count HU of both lungs and of each."""
    return tuple(
        Histogram(
            region.key,
            -1100,
            np.bincount(
                np.clip(volume.hu[np.isin(labels, region.labels)].astype(int) + 1100, 0, 1299),
                minlength=1300,
            ),
        )
        for region in LUNG_REGIONS[:3]
    )


FISSURES = (
    FissureFit(
        fissure=Fissure.RIGHT_OBLIQUE,
        coverage=0.82,
        prior_distance=1.1,
        support="supported",
        completeness_percent=91.0,
        error_mm=1.4,
    ),
    FissureFit(
        fissure=Fissure.RIGHT_HORIZONTAL,
        coverage=0.12,
        prior_distance=0.8,
        support="population average",
    ),
    FissureFit(
        fissure=Fissure.LEFT_OBLIQUE,
        coverage=0.55,
        prior_distance=1.6,
        support="partly supported",
        completeness_percent=74.0,
        error_mm=3.2,
    ),
)


def make_analysis(*, divided: bool = True, **changed: Any) -> Analysis:
    """Return a complete analysis; keywords replace parts of it.

    ``patient``, ``study``, ``acquisition``, ``candidates``, ``scan_flags`` go into the scan; ``fissures``,
    ``region_flags``, ``segmentation_flags`` into the segmentation; others replace fields of `Analysis`.
    """
    volume, labels = chest(divided=divided)
    scan = Scan(
        volume=volume,
        patient=changed.pop("patient", PATIENT),
        study=changed.pop("study", STUDY),
        acquisition=changed.pop("acquisition", ACQUISITION),
        candidates=changed.pop("candidates", CANDIDATES),
        flags=changed.pop("scan_flags", frozenset()),
    )
    segmentation = Segmentation(
        labels=labels,
        fissures=changed.pop("fissures", FISSURES),
        method={"name": "surfaces", "version": "1"},
        region_flags=changed.pop(
            "region_flags", {"right_middle_lobe": frozenset({Flag.FISSURE_NOT_SEEN})}
        ),
        flags=changed.pop("segmentation_flags", frozenset()),
    )
    parts = {
        "scan": scan,
        "segmentation": segmentation,
        "measured": measured(),
        "histograms": histograms(volume, labels),
        "views": take_views(volume, labels),
        "projections": project(volume, labels),
        "verdict": VERDICT,
        "options": Options(),
        "software": {"qct": "0.1.0", "python": "3.12.1", "numpy": "2.1.0"},
        "timings_s": {"read": 1.5, "segment": 8.25},
    }
    parts |= changed
    usual = references(scan.patient, parts["measured"])
    found = {
        "references": usual,
        "uncertainties": uncertainties(parts["measured"]),
        "surfaces": render(volume, labels) if parts["views"] else (),
        "statements": draft(parts["measured"], usual),
    }
    return Analysis(**(found | parts))


CANDIDATES = (
    Candidate(
        series_uid="1.2.3.4",
        series_number=4,
        description="Thorax 1.0 soft",
        modality="CT",
        n_images=64,
        spacing_mm=(4.0, 3.0, 3.0),
        shape=(64, 96, 128),
        verdict="chosen",
        reason="Thin and neutral.",
    ),
    Candidate(
        series_uid="1.2.3.5",
        series_number=1,
        description="Topogram",
        modality="CT",
        n_images=1,
        verdict="rejected",
        reason="A localizer is not a volume.",
    ),
)
VERDICT = Verdict(
    overall=Status.CAVEAT,
    reasons=(
        Reason(Flag.THICK_SLICES, "Slices are 4 mm thick; emphysema reads low above 1.5 mm."),
    ),
    calibration_hu={"outside_air": -998.6, "tracheal_air": -981.2},
)
