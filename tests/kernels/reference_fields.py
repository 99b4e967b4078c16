"""What the kernels of `qct.kernels.fields` mean, by scipy's interpolation."""

import numpy as np
from scipy.ndimage import map_coordinates


def sample_fields(fields, nodes):
    inside = np.clip(nodes, 0, np.array(fields.shape[1:]) - 1)
    return np.stack([map_coordinates(f.astype(float), inside.T, order=1) for f in fields], axis=1)


def resample_hu(hu, rows, columns, slices, lowest_hu, highest_hu):
    grid = np.meshgrid(slices, rows, columns, indexing="ij")
    cut = np.clip(hu.astype(float), lowest_hu, highest_hu)
    return map_coordinates(cut, grid, order=1, mode="nearest")


def divide_by_fields(labels, fields, origin_nodes, step_nodes, renumber):
    voxels = np.stack(np.indices(labels.shape), axis=-1).reshape(-1, 3)
    above = sample_fields(fields, origin_nodes + voxels * step_nodes) > 0
    case = np.where(above.all(axis=1), 2, (~above).argmax(axis=1))
    divided = renumber[labels.ravel(), case]
    mine = renumber[labels.ravel(), 0] != labels.ravel()
    return np.where(mine, divided, labels.ravel()).reshape(labels.shape)
