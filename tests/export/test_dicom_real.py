"""Headers as scanners write them: every object of every real scan keeps to the standard."""

import shutil
import subprocess
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian
from tests.export.analysis_builder import analysis_of
from tests.export.test_dicom_seg import dciodvfy

from qct.export.dicom import OBJECTS, dicom_objects
from qct.export.dicom_instance import as_file
from qct.read import read_scan
from qct.segment.imported import read_labels

pytest.importorskip("highdicom")

CASES = ("ct/lung1_001/series", "ct/lung_dx_a0001/kernel_b", "ct/ricord1a", "cip/ct-64-dicom")


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("case", CASES)
def test_objects_of_a_real_scan_break_no_rule_and_bring_the_labels_back(real_data, tmp_path, case):
    scan = read_scan(real_data / case)
    analysis = analysis_of(scan, blocks(scan.volume.shape))
    files = dicom_objects(analysis, {"report.pdf": b"%PDF-1.4 small"}, objects=OBJECTS)
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        dump = shutil.which("dcmdump")
        if dump is not None:
            assert subprocess.run([dump, "-q", str(path)], capture_output=True).returncode == 0
        ds = pydicom.dcmread(BytesIO(content))
        if ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
            path.write_bytes(as_file(ds))  # the validator does not inflate
            assert path.stat().st_size > len(content)
        errors = dciodvfy(path)
        assert errors == [], name
    (tmp_path / "seg.dcm").write_bytes(files["seg.dcm"])
    np.testing.assert_array_equal(
        read_labels(tmp_path / "seg.dcm", scan), analysis.segmentation.labels
    )


def blocks(shape):
    """Five lobes and the airway as blocks, cheap on a large grid."""
    labels = np.zeros(shape, np.uint8)
    z, y, x = (n // 8 for n in shape)
    labels[4 * z : 7 * z, 2 * y : 6 * y, x : 3 * x] = 3
    labels[z : 4 * z, 2 * y : 4 * y, x : 3 * x] = 4
    labels[z : 4 * z, 4 * y : 6 * y, x : 3 * x] = 5
    labels[4 * z : 7 * z, 2 * y : 6 * y, 5 * x : 7 * x] = 1
    labels[z : 4 * z, 2 * y : 6 * y, 5 * x : 7 * x] = 2
    labels[3 * z : 7 * z, 3 * y : 4 * y, 4 * x : 4 * x + 4] = 8
    labels[z : 2 * z, 5 * y : 6 * y, x : 2 * x] += 16
    return labels
