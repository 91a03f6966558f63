from spikewright.model.energy.published import Entry, table


def test_every_published_number_is_met():
    entries = table()
    assert [entry.name for entry in entries if entry.within is False] == []
    compared = {entry.name: entry for entry in entries if entry.within}
    energies = [entry for name, entry in compared.items() if name.startswith("VGG16")
                and entry.unit == "pJ"]
    assert len(energies) == 12
    assert max(abs(entry.figures()["difference"]) for entry in energies) < 0.03
    assert {entry.paper for entry in entries if entry.tolerance == 0.01 and entry.unit == "pJ"} == {
        551.35, 1048.41}
    assert {entry.paper for entry in compared.values() if entry.unit == "h"} == {20.2, 10.6, 0.15}
    assert compared["break-even at T = 7 is below that at T = 8"].ours is True


def test_contradictions_are_said():
    (twin,) = [entry for entry in table() if entry.within is None]
    assert twin.paper is None
    assert "contradicts itself" in twin.note
    low, high = twin.figures()["ours"]
    assert low < high < 15.1
    (abstract,) = [entry for entry in table() if entry.paper == 6.4]
    assert "from 5 to 10" in abstract.note


def test_an_entry_that_differs_says_so():
    assert Entry("x", "pJ", 1.0, 1.2, 0.1).figures()["within"] is False
    assert Entry("x", "", True, False).within is False
