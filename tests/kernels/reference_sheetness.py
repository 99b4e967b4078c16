"""What the kernels of `qct.kernels.sheetness` mean: slow, short, with numpy's eigenvalues."""

import numpy as np
from scipy.ndimage import correlate1d, map_coordinates

NORMAL_SCALE = 127


def _correlate(hu, taps, orders):
    for axis, order in enumerate(orders):
        hu = correlate1d(hu, taps[order], axis=axis, mode="nearest")
    return hu


def find_sheets(hu, inside, taps, least_curvature):
    hu = hu.astype(np.float64)
    hessian = np.empty((*hu.shape, 3, 3))
    for i in range(3):
        for j in range(3):
            orders = [(axis == i) + (axis == j) for axis in range(3)]
            hessian[..., i, j] = _correlate(hu, taps, orders)
    values, vectors = np.linalg.eigh(hessian)
    across, along = -values[..., 0], np.abs(values[..., 1:]).max(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = across * (across - along) / (across + along)
    is_sheet = inside & (across >= least_curvature) & (across > along)
    smooth = np.where(inside, _correlate(hu, taps, (0, 0, 0)), 0)
    across_line = np.where(inside & (across >= least_curvature), -values[..., 1], 0)
    return np.where(is_sheet, strength, 0), vectors[..., 0], smooth, np.clip(across_line, 0, 255)


def find_crests(strength, normal, inside, least_strength):
    crest = np.zeros(strength.shape, bool)
    for voxel in np.argwhere(inside & (strength > least_strength)):
        if (voxel < 1).any() or (voxel >= np.array(strength.shape) - 1).any():
            continue
        step = normal[tuple(voxel)] / NORMAL_SCALE
        beside = [voxel + step, voxel - step]
        values = map_coordinates(
            strength.astype(np.float64), np.transpose(beside), order=1, mode="nearest"
        )
        crest[tuple(voxel)] = (values <= strength[tuple(voxel)]).all()
    return crest


def count_coplanar(crests, normals, shape, reach, least_cosine, most_offset):
    count = np.zeros(len(crests), np.int32)
    for a, here in enumerate(crests):
        step = (crests - here).astype(np.float64)
        near = (step**2).sum(axis=1) <= reach**2
        flat = np.abs(step @ normals[a].astype(np.float64)) <= most_offset
        facing = np.abs(normals @ normals[a]) >= least_cosine
        count[a] = np.count_nonzero(near & flat & facing)
    return count
