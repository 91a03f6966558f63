import pytest

from spikewright.model.study.claims import judged
from spikewright.model.study.findings import extent

from ...bench import studies
from .test_statistics import row


def resources(logic, fits=True):
    return {"clock_mhz": 24.0, "fits": fits, **{
        name: {"used": used, "available": available} for name, used, available in (
            ("logic", logic, 5280), ("blocks", 20, 30), ("large", 2, 4), ("multipliers", 0, 0))}}


def test_what_hardware_takes_is_told_from_least_to_most():
    rows = [row(n, {"cycles": 1000.0 + n, "latency_us": 40.25, "resources": resources(logic, fits)},
                board="icebreaker", lanes="4,2")
            for n, (logic, fits) in enumerate([(3000, True), (5000, False)])]
    rows.append(row(2, {"cycles": 7.5, "latency_us": None, "resources": None}, lanes="8"))
    first, second = extent(rows)
    assert first == {
        "hardware": "board icebreaker, lanes 4,2", "trials": "2", "fit": "1 of 2",
        "clock, MHz": "24", "logic": "3,000 to 5,000 of 5,280", "block memories": "20 of 30",
        "large memories": "2 of 4", "multipliers": "0 of 0", "cycles": "1,000 to 1,001",
        "latency, µs": "40.2"}
    assert second["cycles"] == "7.5"
    assert {second["fit"], second["logic"], second["latency, µs"]} == {"–"}


def test_nets_that_did_not_learn_are_told_from_those_that_did():
    """Five that learnt nothing, and take few cycles; of the others the more accurate are faster."""
    rows = [row(n, {"accuracy": 0.1 + n / 1000, "cycles": 100 + n}, slope=n, seed=0)
            for n in range(5)]
    rows += [row(n, {"accuracy": 0.9 + n / 1000, "cycles": 1000 - n}, slope=n, seed=0)
             for n in range(5, 25)]
    all_of_them, near = (each for each in judged(rows) if "predictor" in each.claim)
    assert "over 25 choices" in all_of_them.measured
    assert "over 20 choices the rank correlation is -1.00" in near.measured
    assert near.claim.endswith("within 5 points of the most accurate")
    assert len([each for each in judged(rows[5:]) if "predictor" in each.claim]) == 1


@pytest.mark.parametrize("name", [file.name.removesuffix(".json.gz")
                                  for file in sorted(studies.KEPT.glob("*.json.gz"))])
def test_the_page_shows_what_is_kept(name):
    text = studies.PAGE.read_text(encoding="utf-8")
    shown = 0
    for title, table in studies.tables(name).items():
        begin, end = studies.marks(name, title)
        if begin in text:
            assert f"{begin}{studies.markdown(table)}{end}" in text
            shown += 1
    assert shown
