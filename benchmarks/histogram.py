"""Time how five lobes are counted, against five other ways, as ratios from one run.

    python -m benchmarks.histogram [slices]

The chest is made up: two ellipsoids cut into five lobes by slanted planes, HU of lung with noise. Each way
is timed in turn, round after round, and the median of the rounds is compared.
"""

import argparse
import statistics
import time

import numpy as np
import SimpleITK

from qct.kernels.histogram import count_hu, count_labels
from qct.measure import measure
from qct.measure.density import LOWEST_HU, N_BINS
from qct.volume import PADDING_HU, Volume

ROUNDS = 5
SLICES = 400


def chest(nz, ny=512, nx=512):
    """HU and five-lobe labels."""
    y, x = np.mgrid[:ny, :nx]
    noise = np.random.default_rng(1).normal(-850, 60, (ny, nx)).astype(np.int16)
    hu, labels = np.empty((nz, ny, nx), np.int16), np.zeros((nz, ny, nx), np.uint8)
    for z in range(nz):
        size = np.sqrt(max(1 - ((z - nz / 2) / (0.48 * nz)) ** 2, 1e-9))
        for centre, lobes in ((160, (3, 4, 5)), (352, (1, 2))):
            lung = ((x - centre) / 85) ** 2 + ((y - 256) / 130) ** 2 < size**2
            which = np.clip((y - 200 + (z - nz / 2) / 2) // 90, 0, len(lobes) - 1).astype(int)
            labels[z][lung] = np.array(lobes, np.uint8)[which[lung]]
        hu[z] = np.roll(noise, 37 * z)
    return hu, labels


def read_once(hu, labels):
    """Look at every voxel of both arrays, on one thread: the least that anything can do."""
    return int(hu.max()), int(labels.max())


def kernel(hu, labels):
    """Count slices of every label, then by label, third and HU, as `qct.measure` does."""
    flat = labels.reshape(len(labels), -1)
    count_labels(flat)
    slab_of = np.zeros((6, len(labels)), np.uint8)
    bins = (LOWEST_HU, N_BINS, PADDING_HU)
    return count_hu(hu.reshape(flat.shape), flat, slab_of, 3, bins)


def numpy_masks(hu, labels):
    """Make a mask per lobe; count, mean, standard deviation, LAA-950 and 15th percentile of what lies in it."""
    told = []
    for r in range(1, 6):
        own = hu[labels == r]
        told.append((own.size, own.mean(), own.std(), (own < -950).mean(), np.percentile(own, 15)))
    return told


def numpy_histograms(hu, labels):
    """Make a mask per lobe, and a histogram of what lies in it."""
    return [
        np.bincount(hu[labels == r].astype(np.int64) - LOWEST_HU, minlength=N_BINS)
        for r in range(1, 6)
    ]


def simpleitk(hu, labels):
    """LabelStatisticsImageFilter: count, mean, sd, minimum, maximum, median."""
    measured = SimpleITK.LabelStatisticsImageFilter()
    measured.UseHistogramsOn()
    measured.Execute(SimpleITK.GetImageFromArray(hu), SimpleITK.GetImageFromArray(labels))
    return measured.GetMean(1)


def whole_stage(hu, labels):
    """Run `qct.measure.measure`: every number of every region."""
    return measure(Volume.from_spacing(hu, (1.0, 0.7, 0.7)), labels).measured[0]


WAYS = (read_once, kernel, whole_stage, numpy_masks, numpy_histograms, simpleitk)


def table(nz=SLICES):
    """Time every way; return the table."""
    hu, labels = chest(nz)
    kernel(hu[:2], labels[:2])  # compiles
    seconds = {way: [] for way in WAYS}
    cpu = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way in WAYS:
            begin, cpu_begin = time.perf_counter(), time.process_time()
            way(hu, labels)
            seconds[way].append(time.perf_counter() - begin)
            cpu[way].append(time.process_time() - cpu_begin)
    took = {way: statistics.median(times) for way, times in seconds.items()}
    work = {way: min(times) for way, times in cpu.items()}
    lines = [
        f"{nz} x 512 x 512, {np.count_nonzero(labels) / 1e6:.1f} M voxels in five lobes.\n",
        "| way | ms | x reading both arrays once | x kernel | CPU ms | x kernel |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{way.__name__}` | {1e3 * took[way]:.0f} | {took[way] / took[read_once]:.1f} |"
        f" {took[way] / took[kernel]:.2f} | {1e3 * work[way]:.0f} | {work[way] / work[kernel]:.2f} |"
        for way in WAYS
    ]
    return "\n".join(lines)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slices", type=int, nargs="?", default=SLICES)
    print(table(parser.parse_args().slices))


if __name__ == "__main__":
    main()
