"""labels.nii.gz."""

import nibabel
import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from qct.export.labels import nifti_bytes
from qct.volume import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def numbered(axes_mm):
    labels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    return Volume(np.zeros(labels.shape, np.int16), axes_mm, np.array([10.0, -20.0, 30.0])), labels


UPRIGHT = np.array([[0, 0, 2.5], [0, 0.7, 0], [0.6, 0, 0]])
TURNED = UPRIGHT @ Rotation.from_euler("xyz", [0.2, -0.4, 2.9]).as_matrix()
MIRRORED = UPRIGHT * [[-1], [1], [1]]
SHEARED = UPRIGHT + np.array([[0, 0.8, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("axes_mm", [UPRIGHT, TURNED, MIRRORED, SHEARED])
def test_every_voxel_lies_where_the_volume_says(axes_mm, tmp_path):
    volume, labels = numbered(axes_mm)
    (tmp_path / "labels.nii.gz").write_bytes(nifti_bytes(volume, labels))
    image = nibabel.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), labels.T)
    reversed_index = np.eye(4)[[2, 1, 0, 3]]
    np.testing.assert_allclose(
        image.affine, LPS_TO_RAS @ volume.affine_lps @ reversed_index, atol=1e-5
    )


@pytest.mark.parametrize("axes_mm", [UPRIGHT, TURNED, MIRRORED])
def test_rotation_and_matrix_agree_and_itk_reads_them(axes_mm, tmp_path):
    volume, labels = numbered(axes_mm)
    path = tmp_path / "labels.nii.gz"
    path.write_bytes(nifti_bytes(volume, labels))
    header = nibabel.load(path).header
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-5)
    image = SimpleITK.ReadImage(str(path))
    there = image.TransformIndexToPhysicalPoint((3, 2, 1))
    np.testing.assert_allclose(there, volume.origin_mm + [1, 2, 3] @ volume.axes_mm, atol=1e-4)


def test_the_same_labels_give_the_same_bytes():
    assert nifti_bytes(*numbered(UPRIGHT)) == nifti_bytes(*numbered(UPRIGHT))


def test_labels_of_another_grid_are_refused():
    volume, labels = numbered(UPRIGHT)
    with pytest.raises(ValueError, match="grid"):
        nifti_bytes(volume, labels[1:])
