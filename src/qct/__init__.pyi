from qct.measure.arrays import measure_clusters as measure_clusters
from qct.measure.arrays import measure_density as measure_density
from qct.measure.arrays import measure_lungs as measure_lungs
from qct.pipeline import analyze as analyze

__version__: str
