"""Every doubt that travels with a result.

A flag is raised where the doubt arises and stays with the number: JSON and CSV store it by name, the
report prints its sentence. Sentences for readers live in ``report/wording``; here is what a flag means
and how much it weighs.
"""

from enum import Enum, IntEnum, StrEnum


class Weight(IntEnum):
    """How much a flag weighs."""

    NOTE = 1
    """Worth knowing; the number stands."""
    CAVEAT = 2
    """The number is shown with a warning."""
    WITHHOLD = 3
    """The number is not shown."""


class Status(StrEnum):
    """What may be done with a number."""

    REPORTED = "reported"
    CAVEAT = "caveat"
    WITHHELD = "withheld"
    NOT_MEASURED = "not_measured"


class Flag(Enum):
    """Reasons to doubt a result: its key, and one sentence on what it means."""

    # reading
    LOSSY_COMPRESSION = ("lossy_compression", "Pixel data went through lossy compression.")
    ROUNDED_HU = ("rounded_hu", "The rescale slope is not 1; HU were rounded to whole numbers.")
    OBLIQUE_GRID = ("oblique_grid", "Slices are not perpendicular to the body axis.")
    SHEARED_GRID = ("sheared_grid", "The slices were taken with a tilted gantry.")
    UNEVEN_SLICES = ("uneven_slices", "Slice distances vary by more than the tolerance.")
    DUPLICATE_SLICES = ("duplicate_slices", "Some slices came more than once; one copy was used.")
    UNREADABLE_FILES = ("unreadable_files", "Some files could not be read and were left out.")
    HU_FLOOR = ("hu_floor", "Values below -1000 HU were cut off by the scanner.")
    HU_OFFSET = ("hu_offset", "Air or tissue is not where calibrated HU have to be.")
    METAL = ("metal", "Metal is in the picture; its streaks may cross the lungs.")
    VIRTUAL_MONOENERGETIC = (
        "virtual_monoenergetic",
        "Computed from two energies as if one energy had been used.",
    )
    ACQUISITION_TOLD = ("acquisition_told", "What the header lacks was told by a person.")
    CONVERTED_GRID = ("converted_grid", "A volume file, not DICOM: the header says little.")
    # acquisition
    THICK_SLICES = ("thick_slices", "Slices are thicker than the method asks for.")
    SPARSE_SLICES = ("sparse_slices", "Slices lie further apart than they are thick.")
    SHARP_KERNEL = ("sharp_kernel", "Reconstructed with an edge-enhancing kernel.")
    UNKNOWN_KERNEL = ("unknown_kernel", "The reconstruction kernel is not known.")
    ITERATIVE_KERNEL = ("iterative_kernel", "Reconstructed iteratively.")
    OTHER_KVP = ("other_kvp", "The tube voltage is not the one that the method asks for.")
    LOW_DOSE = ("low_dose", "The image is noisier than the method asks for.")
    CONTRAST = ("contrast", "Intravenous contrast was given, or may have been.")
    EXPIRATION = ("expiration", "The scan was, or may have been, taken in expiration.")
    NOT_SUPINE = ("not_supine", "The patient did not lie on the back.")
    UNKNOWN_ACQUISITION = ("unknown_acquisition", "The header lacks what the verdict needs.")
    SITE_GATE = ("site_gate", "The site judges acquisitions by its own rules.")
    # segmentation
    TRUNCATED_LUNG = ("truncated_lung", "The lung touches the edge of the scan.")
    SINGLE_LUNG = ("single_lung", "Only one lung was found.")
    LUNG_ASYMMETRY = ("lung_asymmetry", "One lung is much smaller than the other.")
    LUNG_BASE_HIGH = ("lung_base_high", "One lung ends much higher than the other.")
    LUNG_VOLUME_UNUSUAL = ("lung_volume_unusual", "Lung volume is outside the expected range.")
    DENSE_LUNG = ("dense_lung", "Part of the lung is airless.")
    PLEURAL_FLUID = ("pleural_fluid", "What may be fluid lies between lung and ribs.")
    GAS_POCKET_REMOVED = ("gas_pocket_removed", "Gas outside the lung was cut from the lung mask.")
    LUNGS_JOINED = ("lungs_joined", "The lungs touched and were parted by shape.")
    AIRWAY_INCOMPLETE = (
        "airway_incomplete",
        "The airway tree was followed less far than expected.",
    )
    LOBE_BRONCHUS_DISAGREES = (
        "lobe_bronchus_disagrees",
        "The bronchi that belong to the lobe by their branching run elsewhere.",
    )
    FEW_AIRWAYS = ("few_airways", "Too few airways could be measured, or they do not fit a line.")
    FISSURE_PARTLY_SEEN = ("fissure_partly_seen", "A lobe border follows a fissure seen in part.")
    FISSURE_NOT_SEEN = ("fissure_not_seen", "A lobe border is a population average.")
    LOBE_UNCERTAIN = ("lobe_uncertain", "The borders of a lobe are too uncertain for its volume.")
    LOBE_SIZE_UNUSUAL = ("lobe_size_unusual", "A lobe's share of the lung is unusual.")
    LOBES_UNDIVIDED = ("lobes_undivided", "A lung was not divided into lobes.")
    LABELS_IMPORTED = ("labels_imported", "The regions come from an imported label map.")
    LABELS_PARTIAL = ("labels_partial", "The imported regions leave out part of a lung.")
    LOBES_PARTIAL = ("lobes_partial", "Part of a lung belongs to none of its imported lobes.")
    NETWORK_LABELS = ("network_labels", "The regions come from a neural network of others.")
    LUNGS_EDITED = ("lungs_edited", "The outline of the lungs was corrected by a person.")
    # measuring
    TOO_FEW_VOXELS = ("too_few_voxels", "The region is too small to say more than its volume.")
    CLIPPED_HU = ("clipped_hu", "So many values lie at the scanner's floor that numbers shift.")

    def __init__(self, key: str, meaning: str) -> None:
        self.key = key
        self.meaning = meaning
