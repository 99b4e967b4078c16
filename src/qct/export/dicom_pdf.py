"""The PDF report inside the study (Encapsulated PDF Storage)."""

import hashlib

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from qct.export.dicom_codes import code_item
from qct.export.dicom_instance import Stamp, new_instance, reference
from qct.export.dicom_source import Source
from qct.signature import Signature

ENCAPSULATED_PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"

TITLE = Code("18748-4", "LN", "Diagnostic imaging study")


def encapsulated_pdf(
    pdf: bytes, source: Source, stamp: Stamp, signature: Signature | None = None
) -> Dataset:
    """Wrap a PDF; another PDF of the same analysis is another instance.

    Parameters
    ----------
    signature : Signature, optional
        The one that the PDF shows; without, the document is called preliminary.
    """
    digest = hashlib.sha256(pdf).hexdigest()
    ds = new_instance(source, stamp, "pdf", ENCAPSULATED_PDF_CLASS, digest)
    ds.Modality = "DOC"
    ds.SeriesDescription = "Lung CT report (qct)"
    ds.ConversionType = "WSD"
    ds.AcquisitionDateTime = None
    ds.BurnedInAnnotation = "YES"
    ds.RecognizableVisualFeatures = "NO"
    ds.DocumentTitle = document_title(signature)
    ds.ConceptNameCodeSequence = [code_item(TITLE)]
    ds.VerificationFlag = "UNVERIFIED" if signature is None else "VERIFIED"
    ds.SourceInstanceSequence = [reference(one) for one in source.images()]
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(pdf)
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return ds


def document_title(signature: Signature | None) -> str:
    """Name the report by its state."""
    if signature is None:
        return "Quantitative lung CT, preliminary report"
    return "Quantitative lung CT, final report" + (" with addendum" if signature.addenda else "")
