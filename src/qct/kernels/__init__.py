"""Numba loops: arrays in, arrays out, nothing of qct inside, no checks.

A kernel calls only kernels of its own file (the cache of compiled code is per file), has a plain-numpy
twin in ``tests/kernels/reference.py``, and counts in integers where threads share the work, so that
results do not depend on their number.
"""
