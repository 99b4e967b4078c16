"""A correction of the lungs keeps every lobe what it was."""

import numpy as np
import pytest
import SimpleITK
from tests.segment.test_networks import NUMBER, drawn, volume

from qct.acquisition import Acquisition, Patient, Study
from qct.errors import GeometryError
from qct.findings import Scan, Segmentation
from qct.flags import Flag
from qct.regions import DENSE, Label
from qct.segment.edited import edited, with_lungs


def test_no_edit_changes_nothing():
    labels = drawn(NUMBER.get)
    np.testing.assert_array_equal(edited(labels, labels > 0, volume()), labels)


def test_what_is_added_belongs_to_the_nearest_lobe():
    labels = drawn(NUMBER.get)
    mask = labels > 0
    mask[12, 10, 28] = True  # dense, two voxels beside the right upper lobe
    result = edited(labels, mask, volume())
    assert result[12, 10, 28] == Label.RIGHT_UPPER_LOBE + DENSE
    np.testing.assert_array_equal(result[labels > 0], labels[labels > 0])


def test_what_is_taken_away_is_no_lung_and_the_airway_stays():
    labels = drawn(NUMBER.get)
    labels[15, 2, 30] = Label.AIRWAY
    mask = (labels > 0) & (labels != Label.AIRWAY)
    mask[:5] = False
    result = edited(labels, mask, volume())
    assert not result[:5].any()
    assert result[15, 2, 30] == Label.AIRWAY
    np.testing.assert_array_equal(result[5:], labels[5:])


def test_a_mask_of_one_number_is_read_from_a_file(tmp_path):
    labels, grid = drawn(NUMBER.get), volume()
    scan = Scan(volume=grid, patient=Patient(), study=Study(), acquisition=Acquisition())
    image = SimpleITK.GetImageFromArray((labels > 0).astype(np.uint8))
    image.SetSpacing((5.0, 6.0, 5.0))
    SimpleITK.WriteImage(image, str(tmp_path / "lungs.nii.gz"))
    found = with_lungs(Segmentation(labels=labels), tmp_path / "lungs.nii.gz", scan)
    np.testing.assert_array_equal(found.labels, labels)
    assert Flag.LUNGS_EDITED in found.flags
    image.SetOrigin((1.7, 0, 0))
    SimpleITK.WriteImage(image, str(tmp_path / "off.nii.gz"))
    with pytest.raises(GeometryError):
        with_lungs(found, tmp_path / "off.nii.gz", scan)
