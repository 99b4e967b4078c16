"""A digital chest with known answers: `make_chest` builds it, `write_series` writes it as DICOM."""

from qct.phantom.chest import Chest, make_chest
from qct.phantom.dicom import Compression, write_series
from qct.phantom.spec import PRESETS, ChestSpec, preset

__all__ = ["PRESETS", "Chest", "ChestSpec", "Compression", "make_chest", "preset", "write_series"]
