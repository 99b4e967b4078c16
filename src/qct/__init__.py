"""Quantitative lung CT: from a DICOM series to measured lungs, lobes and a report to edit and sign."""

__version__ = "0.1.0"
