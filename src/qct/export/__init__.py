"""Write a result for other programs: tables, the label map, and the folder that holds them."""

from qct.export.airways import airways_csv
from qct.export.folder import check_folder, write_folder
from qct.export.labels import nifti_bytes
from qct.export.tables import analysis_json, measurements_csv

__all__ = [
    "airways_csv",
    "analysis_json",
    "check_folder",
    "measurements_csv",
    "nifti_bytes",
    "write_folder",
]
