"""What `spikewright compile MODEL` and `spikewright export` do: nets from and for elsewhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..gen import specfile
from ..gen.errors import (
    MALFORMED,
    SpecError,
    SpikewrightError,
    UnsupportedModuleError,
    one_line,
)
from ..gen.runfolder import RunFolder, write_json
from ..gen.spec import Input, InputKind, NetworkSpec, Readout, ReadoutKind
from ..gen.stimulus import Stimulus
from .compiler import quantise
from .exchange import nir_export, nir_import
from .exchange.dynamics import float_layers, inspect
from .exchange.findings import Findings
from .exchange.float_layer import FloatLayer
from .exchange.loading import load_net
from .exchange.nir_neurons import Discretisation
from .quantisation.report import report

#: Share of ones in the spikes that stand in for samples where there are none.
_RATE = 0.2


@dataclass(frozen=True)
class Read:
    """A net in real numbers, none of its layers if a part does not map, and what it is fed."""

    layers: list[FloatLayer]
    findings: Findings
    input_shape: tuple[int, ...]
    timesteps: int | None
    input: Input
    readout: Readout


def read(
    model: str, *, code: str | None, trust: bool, input_shape: tuple[int, ...] | None,
    timesteps: int | None, dt: float | None, discretisation: Discretisation | None,
    readout: str | None, encoding: str | None, input_bits: int | None,
) -> Read:
    """The net ``model``; what is None is as the file says, or as a net usually has it.

    Raises
    ------
    SpikewrightError
        If it cannot be read at all; what does not map is a finding.
    """
    settings: dict[str, Any] = {}
    integrates = False
    if Path(model).suffix == ".nir":
        extra = [name for name, given in (("--net", code), ("--trust", trust or None),
                                          ("--input-shape", input_shape)) if given is not None]
        if extra:
            raise SpikewrightError(f"{model} says all of that itself; drop {', '.join(extra)}")
        found = nir_import.load(model, dt=dt, discretisation=discretisation or "euler")
        layers, findings, shape = found.layers, found.findings, found.input_shape
        settings, integrates = found.settings, found.integrates
        timesteps = timesteps or settings.get("timesteps")
    else:
        if dt is not None or discretisation is not None:
            raise SpikewrightError("--dt and --discretisation belong to .nir files; a net of torch "
                                   "counts timesteps")
        if input_shape is None:
            raise SpikewrightError("how many inputs a net of torch takes is not in its file; give "
                                   "the shape of one timestep, as in --input-shape 2,34,34")
        net, shape = load_net(model, code, trust=trust), input_shape
        layers, findings = inspect(net, shape, timesteps=timesteps)
    try:
        fed, read_out = _ends(settings, integrates, readout, encoding, input_bits)
    except MALFORMED as error:
        raise SpecError(f"{model}: what it says of input and readout is not understood "
                        f"({one_line(error)}); export it again") from error
    kind = read_out.kind
    if integrates and kind is not ReadoutKind.MEMBRANE:
        findings.refuse("readout", kind.value, "the last layer has no threshold, so it never "
                        "spikes; drop --readout, or give --readout membrane")
    return Read(
        layers if findings.maps else [], findings, shape, timesteps, fed, read_out,
    )


def _ends(
    settings: dict[str, Any], integrates: bool, readout: str | None, encoding: str | None,
    input_bits: int | None,
) -> tuple[Input, Readout]:
    """Input and readout: as given, or as a file's ``settings`` say, or as a net usually has it."""
    kind = ReadoutKind(readout or settings.get("readout", {}).get(
        "kind", "membrane" if integrates else "spike-count"))
    return (
        Input(**{**_kept(settings.get("input"), "kind", InputKind),
                 **({} if encoding is None else {"kind": InputKind(encoding)}),
                 **({} if input_bits is None else {"bits": input_bits})}),
        Readout(**{**_kept(settings.get("readout"), "kind", ReadoutKind), "kind": kind}),
    )


def _kept(values: dict[str, Any] | None, name: str, kind: Any) -> dict[str, Any]:
    return {} if not values else {**values, name: kind(values[name])}


def check(net: Read, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """JSON-ready findings, those of quantisation too, which is tried."""
    layers: list[dict[str, Any]] = []
    if net.findings.maps:
        try:
            quantised = _quantise(net, name, options, timesteps=net.timesteps or 1)
            layers = report(quantised, quantised.spec)["layers"]
        except (SpecError, UnsupportedModuleError) as error:
            net.findings.refuse("integers", "quantisation", str(error))
    return {**net.findings.json(), "input_shape": list(net.input_shape),
            "timesteps": net.timesteps, "layers": layers}


def compile_to(
    run: RunFolder, net: Read, name: str, options: dict[str, Any], stimulus: Stimulus | None,
    samples: int, source: str,
) -> dict[str, Any]:
    """Writes ``net`` in integers into ``run``, with ``stimulus`` or random spikes; figures.

    Raises
    ------
    UnsupportedModuleError
        If a part does not map.
    SpikewrightError
        If something is missing or the contract cannot hold the net.
    """
    if not net.findings.maps:
        first, *others = [row for row in net.findings.rows if row.status == "refused"]
        more = f", and {len(others)} more parts do not map; see --check" if others else ""
        raise UnsupportedModuleError(f"{first.part} ({first.kind}): {first.why}{more}")
    if net.timesteps is None:
        raise SpikewrightError("how long an inference lasts is not in the file; give --timesteps")
    quantised = _quantise(net, name, options, timesteps=net.timesteps)
    spec = quantised.spec
    random = stimulus is None
    if stimulus is None:
        stimulus = _random(spec, samples)
    elif stimulus.spikes.shape[2] != spec.inputs or stimulus.spikes.shape[1] > spec.timesteps:
        raise SpikewrightError(
            f"the samples have {stimulus.spikes.shape[1]} timesteps of {stimulus.spikes.shape[2]} "
            f"inputs; the net takes at most {spec.timesteps} of {spec.inputs}"
        )
    result = {
        "source": source,
        "digest": spec.digest,
        "samples": len(stimulus),
        "random_samples": random,
        "weights": spec.weights,
        "parts": net.findings.json()["parts"],
        **report(quantised, spec),
    }
    if run.names():
        run.clear()
    with run.writing("compile") as folder:
        specfile.save(spec, folder / "spec.json")
        stimulus.save(folder / "stimulus.npz")
        write_json(folder / "imported.json", result)
    run.record("import", result)
    return result


def _quantise(net: Read, name: str, options: dict[str, Any], *, timesteps: int) -> Any:
    return quantise(net.layers, net.input_shape, timesteps, name=name, input=net.input,
                    readout=net.readout, **options)


def _random(spec: NetworkSpec, samples: int) -> Stimulus:
    """Spikes for checks of the hardware, not for figures of accuracy: they have no labels."""
    rng = np.random.default_rng(0)
    steps = 1 if spec.input.kind is InputKind.CURRENT else spec.timesteps
    spikes = rng.random((samples, steps, spec.inputs)) < _RATE
    values = spikes * rng.integers(1, spec.input.most + 1, spikes.shape)
    return Stimulus(values.astype(np.uint8), np.full(samples, -1))


def export(run: RunFolder, path: Path, dt: float) -> dict[str, Any]:
    """Writes the net that was trained in ``run``, in real numbers, to the NIR file ``path``.

    Raises
    ------
    RunFolderError
        If the run holds no finished training.
    """
    from . import nets
    from .data.stimuli import read_recipe
    from .training import checkpoint
    from .training.log import finished_log

    recipe, log = read_recipe(run), finished_log(run)
    shape, merge = log.input_shape, recipe.training.merge
    net = nets.build(recipe, shape, log.classes, merge=merge)
    checkpoint.restore_weights(net, checkpoint.load(run.file("checkpoint.pt", "train")))
    nets.refine(net, merge)
    layers = float_layers(net, shape)
    readout, encoding = recipe.readout.contract, recipe.encoding.input
    graph = nir_export.to_nir(
        layers, shape, dt=dt, integrates=readout.kind is ReadoutKind.MEMBRANE,
        settings={
            "name": recipe.name,
            "timesteps": recipe.encoding.timesteps,
            "readout": {"kind": readout.kind.value, "population": readout.population,
                        "early_exit": readout.early_exit},
            "input": {"kind": encoding.kind.value, "bits": encoding.bits},
            "surrogate": {"name": recipe.surrogate.name, **recipe.surrogate.given()},
        },
    )
    nir_export.write(path, graph)
    return {
        "run": str(run.path), "nir": str(path), "layers": [layer.name for layer in layers],
        "dt": dt, "differences": nir_export.differences(layers),
    }
