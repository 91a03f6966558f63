"""What an inference costs, spiking and not, as `spikewright energy run` found it."""

from ..energy.verdict import nanojoules
from .page import Section, Table
from .run import RunData


def energy(run: RunData) -> Section:
    """The verdict of the energy twins, layer by layer; the pictures are on a page of their own."""
    section = Section("Energy")
    found = run.results.get("energy")
    if found is None or found["digest"] != run.spec.digest:
        section.missing.append(run.command("energy run"))
        return section
    verdict = found["verdicts"][0]
    section.text = (
        f"{found['samples']:,} samples, as built: {verdict['sentence']} "
        f"{found['twins']['sentence']} Scope: {verdict['scope']}, {verdict['hardware']} hardware. "
        f"Pictures, and the other ways to count, are in energy/energy.html.")
    section.tables.append(Table(
        ("layer", "SNN, nJ", "QNN, nJ", "cheaper", "spike rate", "flips at"),
        [(layer["layer"], nanojoules(layer["snn"]["total_pj"]),
          nanojoules(layer["qnn"]["total_pj"]), layer["winner"],
          f"{layer['rate']:.2%}",
          "never" if layer["flip_rate"] is None else f"{layer['flip_rate']:.2%}")
         for layer in verdict["layers"]], "results.json"))
    return section
