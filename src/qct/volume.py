"""HU on a grid in patient space: native voxels, LPS, mm.

Axes of the array are (z, y, x). After reading, z runs towards the head, y towards the back and x towards
the patient's left, whatever way the scanner stored its slices: sides come from the geometry. Flipping
and swapping axes moves voxels, it does not change them; `axes_mm` and `origin_mm` say where they are.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

PADDING_HU = -32768
"""Stands where the scanner measured nothing (padding, corners outside the field of view)."""


@dataclass(frozen=True)
class Volume:
    """One CT volume.

    Attributes
    ----------
    hu : (Z, Y, X) int16, C-contiguous, read-only
        Hounsfield units as the scanner gave them; `PADDING_HU` where it gave none.
    axes_mm : (3, 3) float64
        Row k is the step in LPS space (x, y, z; mm) from one voxel to the next along array axis k.
        Rows are orthogonal unless the gantry was tilted.
    origin_mm : (3,) float64
        LPS position of the centre of voxel (0, 0, 0).

    Raises
    ------
    ValueError
        If `hu` is not a 3-D int16 array, or the axes do not span space.
    """

    hu: npt.NDArray[np.int16]
    axes_mm: npt.NDArray[np.float64]
    origin_mm: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.hu.ndim != 3 or self.hu.dtype != np.int16:
            msg = f"hu is {self.hu.ndim}-D {self.hu.dtype}, expected 3-D int16"
            raise ValueError(msg)
        object.__setattr__(self, "hu", np.ascontiguousarray(self.hu))
        object.__setattr__(self, "axes_mm", np.asarray(self.axes_mm, np.float64).reshape(3, 3))
        object.__setattr__(self, "origin_mm", np.asarray(self.origin_mm, np.float64).reshape(3))
        if abs(np.linalg.det(self.axes_mm)) < 1e-9:
            msg = f"axes {self.axes_mm.tolist()} do not span space"
            raise ValueError(msg)

    @classmethod
    def from_spacing(
        cls, hu: npt.NDArray[np.int16], spacing_mm: tuple[float, float, float]
    ) -> "Volume":
        """Put an array on an upright grid at the origin; `spacing_mm` is (z, y, x)."""
        dz, dy, dx = spacing_mm
        axes = np.array([[0, 0, dz], [0, dy, 0], [dx, 0, 0]], np.float64)
        return cls(hu, axes, np.zeros(3))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X)."""
        z, y, x = self.hu.shape
        return z, y, x

    def check_grid(self, array: npt.NDArray[Any], name: str = "labels") -> None:
        """Raise a ValueError if an array has not a value for every voxel, and no more."""
        if array.shape != self.shape:
            raise ValueError(f"{name} {array.shape} are not on the grid {self.shape}")

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (z, y, x); along z measured at right angles to the slices.

        The product is the voxel's volume, for a tilted gantry too.
        """
        step_z, step_y, step_x = self.axes_mm
        dy, dx = float(np.linalg.norm(step_y)), float(np.linalg.norm(step_x))
        normal = np.cross(step_x, step_y)
        dz = abs(float(step_z @ normal)) / float(np.linalg.norm(normal))
        return dz, dy, dx

    @cached_property
    def voxel_ml(self) -> float:
        """Volume of one voxel."""
        return abs(float(np.linalg.det(self.axes_mm))) / 1000.0

    @cached_property
    def affine_lps(self) -> npt.NDArray[np.float64]:
        """(4, 4) matrix from (z, y, x, 1) indices to LPS mm."""
        affine = np.eye(4)
        affine[:3, :3] = self.axes_mm.T
        affine[:3, 3] = self.origin_mm
        return affine
