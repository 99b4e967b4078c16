"""How far a number may move without a change in the patient: ``uncertainty.toml`` for what was measured."""

import tomllib
from functools import cache
from importlib.resources import files

from qct.findings import Measured, StandardError, Uncertainty
from qct.regions import WHOLE_LUNG

LEAST_CHANGE = "least detectable change"
"""What `least_change` looks for."""


def uncertainties(
    measured: tuple[Measured, ...], errors: tuple[StandardError, ...] = ()
) -> tuple[Uncertainty, ...]:
    """Return the rows of the table for every number that this scan gives.

    Parameters
    ----------
    measured : tuple of Measured
        As judged. A number that is withheld or not measured has no uncertainty.
    errors : tuple of StandardError
        What the noise of this scan does.
    """
    given = {(one.region, one.quantity) for one in measured if one.value is not None}
    every = (*table(), *map(_of_noise, errors))
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


@cache
def table() -> tuple[Uncertainty, ...]:
    """Return every published row."""
    text = files("qct.interpret").joinpath("uncertainty.toml").read_text(encoding="utf-8")
    return tuple(Uncertainty(region=WHOLE_LUNG.key, **row) for row in tomllib.loads(text)["row"])


def least_change(region: str, quantity: str) -> Uncertainty | None:
    """Return the row that a change is judged by; None where no source gives one."""
    fits = (LEAST_CHANGE, region, quantity)
    return next((one for one in table() if (one.kind, one.region, one.quantity) == fits), None)
