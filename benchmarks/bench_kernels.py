"""Every kernel on what the pipeline gives it: ``pytest benchmarks/bench_kernels.py`` (pytest-benchmark)."""

import pytest
from benchmarks.captured import copied, kernels


@pytest.mark.parametrize("name", sorted(kernels()))
def bench_kernel(name, kernel_calls, benchmark):
    """Run the call with most bytes, arrays copied anew for every round."""
    calls = kernel_calls[name]
    if not calls.seconds:
        pytest.skip("the pipeline does not call it on this scan")
    benchmark.extra_info["bytes"] = max(calls.n_bytes)
    benchmark.pedantic(
        kernels()[name], setup=lambda: (copied(calls.arguments), {}), rounds=5, warmup_rounds=1
    )
