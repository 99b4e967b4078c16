"""How near to the truth one state of health is measured, over many digital people.

    python -m benchmarks.validation [--preset mild] [--seeds 10]

Standard kernel, 1 mm, 100 mAs, 512 x 512: the acquisition that the limits of ``qct validate`` are for.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, pstdev

from qct.phantom import preset
from qct.validate.cases import FINE, JUDGED, Case
from qct.validate.judge import Row, error, judge, load_limits
from qct.validate.run import measure_case


def main() -> None:
    """Print one line per person, then the limits, then every number's error against both truths."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="mild")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", help="also write every row here")
    args = parser.parse_args()
    rows: list[Row] = []
    for seed in range(1, args.seeds + 1):
        name = f"{args.preset} {seed}"
        case = Case(name, preset(args.preset, seed=seed, **FINE), JUDGED, name)
        found, _ = measure_case(case)
        rows += found
        both = {r.quantity: r for r in found if r.region == "whole_lung"}
        shown = (
            f"{key} {both[key].measured:.2f} ({both[key].truth['sampled']:.2f})"
            for key in ("volume_ml", "mean_hu", "laa950_percent")
            if both[key].measured is not None
        )
        print(name, *shown, flush=True)
    for one in judge(rows, load_limits()):
        if one.n:
            print(
                one.quantity, one.regions[0], one.truth, one.limit, "pass" if one.passed else "MISS"
            )
    _errors(rows)
    if args.json:
        Path(args.json).write_text(json.dumps([asdict(row) for row in rows], default=dict))


def _errors(rows: list[Row]) -> None:
    for region, quantity in dict.fromkeys((row.region, row.quantity) for row in rows):
        chosen = [row for row in rows if (row.region, row.quantity) == (region, quantity)]
        for truth in ("sampled", "imaged", "model"):
            found = (error(row, truth, "difference") for row in chosen)
            off = [value for value in found if value is not None]
            if off:
                mean, worst = fmean(map(abs, off)), max(map(abs, off))
                told = f"bias {fmean(off):8.2f}  sd {pstdev(off):7.2f}  mean abs {mean:8.2f}"
                print(
                    f"{region:20}{quantity:28}{truth:9}n {len(off):3}  {told}  worst {worst:8.2f}"
                )


if __name__ == "__main__":
    main()
