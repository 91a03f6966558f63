"""`spikewright COMMAND` on run folders from a stranger: it works, or says in one line why not, and
a run that it refuses is as it was."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen import specfile
from spikewright.gen.cli import main
from spikewright.gen.runfolder import MANIFEST, RunFolder, write_json
from spikewright.model import nets
from spikewright.model.recipe import Recipe
from spikewright.model.training import checkpoint

from .law import COUNTS, _deadline, budget, contents
from .mutations import accidents, after, json_of, twisted

pytestmark = pytest.mark.usefixtures("little_memory")

#: Those that need neither data sets nor tools, and read everything that a run has.
COMMANDS = (
    ("simulate", "RUN", "--engine", "golden"),
    ("simulate", "RUN", "--engine", "cycles", "--lanes", "2"),
    ("check", "RUN", "--engines", "cycles,torch"),
    ("generate", "RUN"),
    ("fit", "RUN", "--board", "icebreaker"),
    ("metrics", "RUN"),
    ("report", "RUN"),
    ("export", "RUN", "--nir", "RUN.nir"),
    ("compile", "RUN.nir", "--check"),
    ("simulate", "RUN", "--data", "spikes:RUN/stimulus.npz"),
    ("simulate", "RUN", "--data", "events:RUN/stimulus.npz"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory, small_net, small_stimulus):
    """A run with every file that commands read, as they wrote them."""
    run = RunFolder.create(tmp_path_factory.mktemp("runs") / "run")
    recipe = Recipe.load("digits")
    net = nets.build(recipe, (2, 10, 10), 10)
    history = [{"epoch": 1, "loss": 0.5, "accuracy": 0.9, "held_back_accuracy": 0.8,
                "seconds": 1.0}]
    with run.writing("train") as folder:
        write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
        write_json(folder / "training.json", {
            "recipe": "digits", "seed": 0, "input_shape": [2, 10, 10], "timesteps": 12,
            "classes": 10, "samples": {"train": 9, "held_back": 6}, "data": {"train": "0"},
            "versions": {}, "device": "cpu", "finished": True, "history": history})
        checkpoint.save(folder / "checkpoint.pt", {"epoch": 1, "model": net.state_dict()})
        specfile.save(small_net, folder / "spec.json")
        small_stimulus.save(folder / "stimulus.npz")
    for command in (("simulate", "--engine", "golden"), ("simulate", "--engine", "cycles"),
                    ("check", "--engines", "cycles"), ("generate",), ("metrics",)):
        assert spikewright((command[0], "RUN", *command[1:]), run.path) == 0
    return run.path


def spikewright(arguments, run) -> int:
    with pytest.raises(SystemExit) as caught, _deadline():
        main([argument.replace("RUN", str(run)) for argument in arguments])
    return int(caught.value.code or 0)


@budget(30)
@given(command=st.sampled_from(COMMANDS), data=st.data(), signed=st.booleans())
def test_a_run_of_a_strangers(run, capsys, command, data, signed):
    """``signed``: the manifest vouches for the file that was changed."""
    before = contents(run)
    name = data.draw(st.sampled_from(
        [name for name in before if name.endswith((".json", ".npz", ".pt"))]))
    whole = before[name]
    if name.endswith(".json") and data.draw(st.booleans()):
        content = json_of(data.draw(twisted(json.loads(whole))))
    else:
        content = after(whole, data.draw(accidents(whole)))
    (run / name).write_bytes(content)
    if signed and name != MANIFEST:
        made = RunFolder.open(run)
        with made.writing("train") as staging:
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(content)
    given_run = contents(run)
    capsys.readouterr()
    try:
        code = spikewright((*command, "--json"), run)
        told = capsys.readouterr()
        assert code in (0, 1, 2)
        assert "Traceback" not in told.err
        if code == 2:
            assert told.out == ""
            (line,) = [each for each in told.err.splitlines() if each.startswith("error: ")]
            assert told.err.splitlines()[-1] == line
            assert contents(run) == given_run
        else:
            json.loads(told.out)
        COUNTS[f"ended with {code}"] += 1
    finally:
        for path in contents(run).keys() - before.keys():
            (run / path).unlink()
        for path, content in before.items():
            (run / path).write_bytes(content)


def test_nothing_is_drawn_of_no_samples(run, capsys):
    """What a file of no samples does to commands that draw and count them."""
    before = contents(run)
    made = RunFolder.open(run)
    with made.writing("compile") as staging:
        np.savez(staging / "stimulus.npz", labels=np.zeros(0, np.int64),
                 values=np.zeros((0, 5, 12), np.uint8))
    for command in COMMANDS[:7]:
        code = spikewright((*command, "--json"), run)
        assert code in (0, 2), command
        assert "Traceback" not in capsys.readouterr().err
    for path, content in before.items():
        (run / path).write_bytes(content)
