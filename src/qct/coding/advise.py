"""From an order and the facts of a study to the worksheet. Pure: no file, no clock."""

from qct.coding.catalogue import Kind, words
from qct.coding.checklist import check_documentation, check_elements
from qct.coding.diagnoses import check_diagnoses, check_taxonomy, describe_codes
from qct.coding.facts import StudyFacts
from qct.coding.modifiers import check_modifiers, describe_modifiers
from qct.coding.service import check_related, check_service, choose_service
from qct.coding.worksheet import Element, Issue, Level, State, Worksheet
from qct.order import Order


def advise(order: Order, facts: StudyFacts) -> Worksheet:
    """Fill in the coding worksheet of one study.

    Parameters
    ----------
    order : Order
        What people say; an empty order is allowed.
    facts : StudyFacts
        What the analysis says.

    Returns
    -------
    Worksheet
        A draft: the software prepares, the physician and the coder decide.
    """
    checklist = check_documentation(order, facts)
    by_key = {one.key: one for one in checklist}
    service = choose_service(order, facts)
    issues = (
        *check_service(order, facts, service),
        *check_related(order, facts, service),
        *check_modifiers(order, by_key),
        *check_diagnoses(order),
        *check_taxonomy(order),
        *check_elements(checklist),
    )
    lacking = _lacking(by_key, issues)
    taxonomy = order.signer.taxonomy
    return Worksheet(
        service=service,
        modifiers=describe_modifiers(order, by_key),
        diagnoses=describe_codes(order.diagnoses, Kind.DIAGNOSIS),
        related=describe_codes(order.service.other_codes, Kind.PROCEDURE),
        taxonomy=describe_codes((taxonomy,), Kind.TAXONOMY)[0] if taxonomy else None,
        checklist=checklist,
        issues=tuple(sorted(issues, key=lambda issue: list(Level).index(issue.level))),
        may_be_finalised=not lacking,
        standing=words("standing.draft", missing=", ".join(lacking))
        if lacking
        else words("standing.ready"),
        statements=(words("standing.not_cleared"), words("standing.limits")),
    )


def _lacking(elements: dict[str, Element], issues: tuple[Issue, ...]) -> list[str]:
    """Name what stands between this worksheet and a final report."""
    lacking = [
        words(f"standing.no_{key}")
        for key in ("interpretation", "signer")
        if elements[key].state is State.MISSING
    ]
    n = sum(issue.level is Level.SETTLE for issue in issues)
    return [*lacking, words("standing.open_points", n=n)] if n else lacking
