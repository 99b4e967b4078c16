"""The HTML in a real browser: axe-core finds nothing serious, and it prints on both papers.

Needs node, Chromium, and the npm packages axe-core and playwright-core in ``.ci/node_modules``, where
``.ci/run`` puts them, or in ``NODE_PATH``.
"""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pymupdf
import pytest
from tests.report.sample import make_analysis

from qct.coding import StudyFacts, advise
from qct.coding.show import worksheet_html
from qct.order import Order
from qct.report import build, signed, write_html
from qct.signature import Signature

HERE = Path(__file__).parent
MODULES = os.environ.get("NODE_PATH", str(HERE.parents[1] / ".ci" / "node_modules"))
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and CHROMIUM and Path(MODULES, "axe-core").is_dir()),
    reason="needs node, Chromium, and axe-core with playwright-core in .ci/node_modules",
)

SIGNED = Signature(
    interpretation="Emphysema of both upper lobes.",
    signer="Roe, Jane",
    credentials="MD",
    signed_at=datetime(2024, 3, 6, 9, 30, tzinfo=UTC),
    digests={},
)


PAGES = ("draft", "german", "signed", "worksheet")
BROKEN = b'<html><body><p style="color:#ddd">pale</p><img src="data:,"></body></html>'


@pytest.fixture(scope="module")
def browsed(tmp_path_factory):
    """Open every page once; return the folder with the prints, and what axe-core found."""
    folder = tmp_path_factory.mktemp("pages")
    analysis = make_analysis()
    contents = {
        "draft": write_html(build(analysis)),
        "german": write_html(build(analysis, language="de")),
        "signed": write_html(signed(build(analysis), SIGNED)),
        "worksheet": worksheet_html(advise(Order(), StudyFacts()), (), {}).encode(),
        "broken": BROKEN,
    }
    for name, content in contents.items():
        (folder / f"{name}.html").write_bytes(content)
    done = subprocess.run(
        ["node", HERE / "axe.cjs", CHROMIUM, folder, *contents],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NODE_PATH": MODULES},
        timeout=240,
    )
    return folder, json.loads(done.stdout)


def serious(found):
    return [one for one in found if one["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(browsed, name):
    _, found = browsed
    assert serious(found[name]) == []


def test_axe_finds_what_is_broken(browsed):
    _, found = browsed
    assert {one["id"] for one in serious(found["broken"])} >= {"image-alt", "html-has-lang"}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("paper", "width_mm"), [("A4", 210), ("Letter", 216)])
def test_a_page_prints_without_running_off_the_paper(browsed, name, paper, width_mm):
    printed = pymupdf.open(browsed[0] / f"{name}-{paper}.pdf")
    assert printed[0].rect.width * 25.4 / 72 == pytest.approx(width_mm, abs=1)
    for page in printed:
        assert max((word[2] for word in page.get_text("words")), default=0) < page.rect.width - 25
