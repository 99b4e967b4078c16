"""What the benchmarks share: one scan (`QCT_BENCH_SCAN`, else the sample), read and taken apart once."""

import os
from pathlib import Path

import pytest
from benchmarks.captured import captured, import_all

SCAN = Path(os.environ.get("QCT_BENCH_SCAN", Path(__file__).parents[1] / "sample_data"))


@pytest.fixture(scope="session")
def analysis():
    """One whole analysis."""
    from qct.pipeline import analyze

    return analyze(SCAN)


@pytest.fixture(scope="session")
def kernel_calls():
    """Kernel calls of one analysis and of one small digital chest."""
    from qct.phantom import make_chest, preset
    from qct.pipeline import analyze

    import_all()
    with captured() as calls:
        analyze(SCAN)
        make_chest(preset("mild", size=96, slice_mm=4.0, model_mm=2.0))
    return calls
