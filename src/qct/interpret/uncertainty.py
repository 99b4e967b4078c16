"""How far a number may move without a change in the patient: ``uncertainty.toml`` for what was measured."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import starmap

from qct.findings import Measured, StandardError, Uncertainty
from qct.regions import WHOLE_LUNG

LEAST_CHANGE = "least detectable change"
"""What `least_change` looks for."""

BORDER_ERROR = "border error"
"""How far the volume of a lobe may be off because its borders are not seen everywhere."""


def uncertainties(
    measured: tuple[Measured, ...],
    errors: tuple[StandardError, ...] = (),
    border_errors_ml: Mapping[str, float] | None = None,
) -> tuple[Uncertainty, ...]:
    """Return the rows of the table for every number that this scan gives.

    Parameters
    ----------
    measured : tuple of Measured
        As judged. A number that is withheld or not measured has no uncertainty.
    errors : tuple of StandardError
        What the noise of this scan does.
    border_errors_ml : mapping, optional
        Region key of a lobe to the standard deviation of its volume, as `Segmentation.volume_errors_ml`.
    """
    given = {(one.region, one.quantity) for one in measured if one.value is not None}
    every = (
        *table(),
        *map(_of_noise, errors),
        *starmap(_of_borders, (border_errors_ml or {}).items()),
    )
    return tuple(one for one in every if (one.region, one.quantity) in given)


def _of_noise(error: StandardError) -> Uncertainty:
    return Uncertainty(
        key="noise",
        region=error.region,
        quantity=error.quantity,
        kind="standard error",
        amount=error.amount,
        conditions=f"from noise alone, {error.noise_hu:.1f} HU in the trachea",
        source="qct",
        confirmed=True,
    )


def _of_borders(region: str, amount_ml: float) -> Uncertainty:
    return Uncertainty(
        key=f"border_{region}",
        region=region,
        quantity="volume_ml",
        kind=BORDER_ERROR,
        amount=amount_ml,
        conditions="standard deviation, from how much of its borders this scan shows",
        source="qct",
        confirmed=True,
    )


@cache
def table() -> tuple[Uncertainty, ...]:
    """Return every published row."""
    text = files("qct.interpret").joinpath("uncertainty.toml").read_text(encoding="utf-8")
    return tuple(Uncertainty(region=WHOLE_LUNG.key, **row) for row in tomllib.loads(text)["row"])


def least_change(region: str, quantity: str) -> Uncertainty | None:
    """Return the row that a change is judged by; None where no source gives one."""
    fits = (LEAST_CHANGE, region, quantity)
    return next((one for one in table() if (one.kind, one.region, one.quantity) == fits), None)
