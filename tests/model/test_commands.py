"""train → compile on event files of a few hundred events, as a user runs them."""

import json

import numpy as np
import pytest
import torch

from spikewright.gen import (
    Input,
    InputKind,
    Readout,
    ReadoutKind,
    first_difference,
    simulate,
)
from spikewright.gen.errors import DataError, RecipeError, RunFolderError
from spikewright.gen.runfolder import RunFolder
from spikewright.model.commands import compile, train
from spikewright.model.data.stimuli import from_dataset, from_events


@pytest.fixture
def run(tmp_path, recipe_file):
    train(str(recipe_file), output=tmp_path / "run")
    return tmp_path / "run"


def test_train_and_compile(run, capsys, event_file):
    capsys.readouterr()
    compile(run, bits=3, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    folder = RunFolder.open(run)
    spec, stimulus = folder.spec(), folder.stimulus()
    assert spec.digest == result["digest"]
    assert {layer.synapse.weight_bits for layer in spec.layers} == {3}
    assert (spec.input_shape, spec.timesteps, spec.name) == ((2, 5, 6), 3, "tiny")
    assert len(stimulus) == result["samples"] == 10
    golden = simulate(spec, stimulus.spikes, engine="golden", membranes=True)
    assert golden.accuracy(stimulus.labels) == result["accuracy"]
    assert first_difference(
        golden, simulate(spec, stimulus.spikes, engine="torch", membranes=True)
    ) is None
    results = folder.read_json("results.json", "train")
    assert results["compile"]["accuracy"] == result["accuracy"]
    assert results["train"]["epochs"] == 4
    assert folder.read_json("compile.json", "compile")["layers"][0]["spikes"] > 0
    # The held-back samples are the last ones of the file, encoded in the same way.
    everything = from_events(str(event_file), folder)
    assert (everything.spikes[30:] == stimulus.spikes).all()
    assert (everything.labels[30:] == stimulus.labels).all()


def _equal_engines(path):
    folder = RunFolder.open(path)
    spec, stimulus = folder.spec(), folder.stimulus()
    golden, in_torch = (simulate(spec, stimulus.spikes, engine=engine, membranes=True)
                        for engine in ("golden", "torch"))
    assert first_difference(golden, in_torch) is None
    assert golden.accuracy(stimulus.labels) == folder.read_json("compile.json", "")["accuracy"]
    return spec


def test_convolutions_on_counts_trained_at_merged_timesteps(tmp_path, recipe_file):
    text = recipe_file.read_text()
    for plain, changed in (
        ("timesteps = 3", 'timesteps = 6\nkind = "counts"\nbits = 2'),
        ("time_window = 10000", "time_window = 5000"),
        ("hidden = [8]", 'hidden = ["4c3p1", "m2", 8]\nneuron = "synaptic"\nalpha = 0.5'),
        ("epochs = 4", "epochs = 4\nmerge = 2\ngain = 3"),
    ):
        text = text.replace(plain, changed)
    recipe_file.write_text(text + '[readout]\nkind = "membrane"\npopulation = 2\n')
    run = tmp_path / "run"
    train(str(recipe_file), output=run)
    assert RunFolder.open(run).read_json("training.json", "")["history"][-1]["accuracy"] > 0.5
    compile(run)
    spec = _equal_engines(run)
    assert spec.input == Input(kind=InputKind.COUNTS, bits=2)
    assert (spec.timesteps, spec.layers[0].neuron.synapse_decay) == (6, 128)
    assert spec.readout == Readout(kind=ReadoutKind.MEMBRANE, population=2)
    assert [layer.neurons for layer in spec.layers] == [4 * 5 * 6, 8, 4]


@pytest.fixture
def image_folder(tmp_path):
    """60 images of 6 × 5 pixels: class c has its row 2c bright."""
    labels = np.arange(60, dtype=np.uint8) % 3
    images = np.zeros((60, 6, 5), np.uint8)
    images[np.arange(60), 2 * labels] = 200
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
        content = b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes()
        (tmp_path / f"train-{name}-ubyte").write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(("encoding", "readout"), [
    ('kind = "rate"\ntimesteps = 5\nseed = 3', "spike-count"),
    ('kind = "latency"\ntimesteps = 4\nthreshold = 0.3', "first-spike"),
    ('kind = "delta"\ntimesteps = 12\nthreshold = 0.2', "membrane"),
])
def test_images_in_every_code(image_folder, monkeypatch, encoding, readout):
    recipe = image_folder / "codes.toml"
    recipe.write_text(f"""
        [data]
        source = "mnist"
        [encoding]
        {encoding}
        [net]
        hidden = [6]
        beta = 0.9
        [readout]
        kind = "{readout}"
        [training]
        epochs = 1
        [quantisation]
        epochs = 1
    """)
    path = image_folder / "run"
    train(str(recipe), data_root=image_folder, output=path)
    compile(path, data_root=image_folder)
    spec = _equal_engines(path)
    assert spec.input == Input()
    stimulus = RunFolder.open(path).stimulus()
    assert stimulus.spikes.shape == (10, spec.timesteps, 10 if "delta" in encoding else 30)
    assert stimulus.spikes.any()
    monkeypatch.setenv("SPIKEWRIGHT_DATA", str(image_folder))
    again = from_dataset("mnist", RunFolder.open(path))
    assert (again.spikes == stimulus.spikes).all()


def test_images_as_a_current(image_folder, monkeypatch):
    tmp_path = image_folder
    recipe = tmp_path / "images.toml"
    recipe.write_text("""
        [data]
        source = "mnist"
        [encoding]
        kind = "current"
        bits = 3
        timesteps = 2
        [net]
        hidden = [8]
        beta = 1
        [training]
        epochs = 30
        learning_rate = 0.02
        gain = 3
        [quantisation]
        epochs = 2
        weight_shift = 0
        decay_fraction = 0
    """)
    train(str(recipe), data_root=tmp_path, output=tmp_path / "run")
    compile(tmp_path / "run", data_root=tmp_path)
    spec = _equal_engines(tmp_path / "run")
    assert spec.input == Input(kind=InputKind.CURRENT, bits=3)
    assert RunFolder.open(tmp_path / "run").stimulus().spikes.shape == (10, 1, 30)
    assert RunFolder.open(tmp_path / "run").read_json("compile.json", "")["accuracy"] > 0.9
    monkeypatch.setenv("SPIKEWRIGHT_DATA", str(tmp_path))
    again = from_dataset("mnist", RunFolder.open(tmp_path / "run"))
    assert (again.spikes == RunFolder.open(tmp_path / "run").stimulus().spikes).all()


def test_bits_of_each_layer_and_a_unit_for_each_channel(run, capsys):
    capsys.readouterr()
    compile(run, bits="2,5", per="channel", decay="power-of-two", method="ptq", as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert [layer["weight_bits"] for layer in result["layers"]] == [2, 5]
    assert [layer["decay"] for layer in result["layers"]] == [0.75, 0.75]
    low, high = result["layers"][0]["weight_step"]
    assert low < high
    _equal_engines(run)


def test_a_budget_is_searched_and_trained_within(run, capsys):
    capsys.readouterr()
    compile(run, method="ptq", as_json=True)
    kbits = json.loads(capsys.readouterr().out)["memory_bits"] / 1000
    compile(run, budget_kbits=kbits, as_json=True)
    result = json.loads(capsys.readouterr().out)
    found = result["search"]
    assert found["memory"] <= 1000 * kbits
    assert found["loss"] <= found["reference_loss"] + 1
    bits = found["bits"]
    assert [layer["weight_bits"] for layer in result["layers"]] == (
        list(bits.values()) if isinstance(bits, dict) else [bits] * 2)
    over = result["memory_bits"] > 1000 * kbits
    assert over == any("takes" in warning for warning in result["warnings"])
    _equal_engines(run)


def test_a_penalty_on_cycles_trains_and_compiles(tmp_path, recipe_file, capsys):
    recipe_file.write_text(recipe_file.read_text() + """
        [training.penalty]
        cycles = 0.01
        excess = 0.1
        rate = 0.2
        hardware = { lanes = [4, 2], ways = [2, 1] }
    """)
    train(str(recipe_file), output=tmp_path / "run")
    capsys.readouterr()
    compile(tmp_path / "run", as_json=True)
    assert json.loads(capsys.readouterr().out)["samples"] == 10
    _equal_engines(tmp_path / "run")


def test_people_see_tables(run, capsys):
    compile(run, method="ptq")
    out = capsys.readouterr().out
    assert "fc1" in out
    assert "accuracy on 10 held-back samples" in " ".join(out.split())


def _weights(path):
    return torch.load(path / "checkpoint.pt", weights_only=True)["model"]


def test_resume_gives_what_an_uninterrupted_run_gives(tmp_path, run, recipe_file, monkeypatch):
    from spikewright.model.training.trainer import Trainer

    original = Trainer.train_epoch

    def stop_in_epoch_three(self):
        if self.epoch == 2:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(Trainer, "train_epoch", stop_in_epoch_three)
    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train(str(recipe_file), output=stopped)
    with pytest.raises(RunFolderError, match=r"stopped after epoch 2; go on with: .* --resume"):
        compile(stopped)
    monkeypatch.undo()
    train(output=stopped, resume=True)
    whole, resumed = _weights(run), _weights(stopped)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    histories = [RunFolder.open(p).read_json("training.json", "train")["history"]
                 for p in (run, stopped)]
    assert [len(h) for h in histories] == [4, 4]
    assert [e["loss"] for e in histories[0]] == [e["loss"] for e in histories[1]]
    train(output=stopped, resume=True)  # finished: nothing to do
    assert len(RunFolder.open(stopped).read_json("training.json", "train")["history"]) == 4


def test_seeds_decide(tmp_path, run, recipe_file):
    for seed, same in ((0, True), (1, False)):
        train(str(recipe_file), output=tmp_path / f"seed{seed}", seed=seed)
        assert torch.equal(_weights(tmp_path / f"seed{seed}")["fc1.weight"],
                           _weights(run)["fc1.weight"]) is same


def test_compiling_again_gives_the_same_network(tmp_path, run, recipe_file):
    def digest(path):
        compile(path)
        return RunFolder.open(path).spec().digest

    first = digest(run)
    torch.manual_seed(12345)  # what happened in the process before must not matter
    torch.rand(7)
    assert digest(run) == first
    train(str(recipe_file), output=tmp_path / "again")
    assert digest(tmp_path / "again") == first
    train(str(recipe_file), output=tmp_path / "other", seed=1)
    assert digest(tmp_path / "other") != first


def test_a_run_is_not_overwritten_by_accident(run, recipe_file):
    compile(run, method="ptq")
    with pytest.raises(RunFolderError, match="holds a run already"):
        train(str(recipe_file), output=run)
    train(str(recipe_file), output=run, epochs=1, overwrite=True)
    assert "spec.json" not in RunFolder.open(run)
    assert not (run / "spec.json").exists()


def test_resume_takes_no_other_recipe(run):
    with pytest.raises(RecipeError, match="drop --epochs"):
        train(output=run, resume=True, epochs=3)
    with pytest.raises(RecipeError, match="add -o RUN"):
        train(resume=True)


def test_failures_leave_nothing_behind(tmp_path, recipe_file):
    with pytest.raises(DataError):
        train(str(recipe_file), data=f"events:{tmp_path / 'none.npz'}", output=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_damaged_runs(run):
    checkpoint = run / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    with pytest.raises(RunFolderError, match="was changed after"):
        compile(run)


def test_silent_layers_are_reported(tmp_path, recipe_file, capsys):
    text = recipe_file.read_text().replace("epochs = 4", "epochs = 1\ngain = 1e-4")
    recipe_file.write_text(text.replace("learning_rate = 0.02", "learning_rate = 1e-9"))
    train(str(recipe_file), output=tmp_path / "run")
    capsys.readouterr()
    compile(tmp_path / "run", method="ptq", as_json=True)
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert any("layer fc2 is silent" in warning for warning in warnings)


def test_stimuli_that_do_not_fit(tmp_path, run, event_arrays):
    with pytest.raises(DataError, match="needs a run folder"):
        from_events("x.npz")
    compile(run, method="ptq")
    folder = RunFolder.open(run)
    with pytest.raises(DataError, match="network takes"):
        from_dataset("digits", folder)
    path = tmp_path / "other.npz"
    np.savez(path, **{**event_arrays, "labels": event_arrays["labels"] + 5})
    with pytest.raises(DataError, match=r"labels \[5, 6\]; the network knows classes 0 to 1"):
        from_events(str(path), folder)
    np.savez(path, **{**event_arrays, "sensor_size": np.array([7, 5, 2])})
    with pytest.raises(DataError, match=r"inputs \(2, 5, 7\); its network takes \(2, 5, 6\)"):
        from_events(str(path), folder)


def test_an_interrupted_compile_goes_on(tmp_path, run, recipe_file, monkeypatch):
    from spikewright.model.training.trainer import Trainer

    train(str(recipe_file), output=tmp_path / "again")
    compile(tmp_path / "again")
    original, trained = Trainer.train_epoch, []

    def stop_in_epoch_two(self):
        if self.epoch == 1:
            raise KeyboardInterrupt
        return original(self)

    def counted(self):
        trained.append(self.epoch)
        return original(self)

    monkeypatch.setattr(Trainer, "train_epoch", stop_in_epoch_two)
    with pytest.raises(KeyboardInterrupt):
        compile(run)
    assert "spec.json" not in RunFolder.open(run)
    monkeypatch.setattr(Trainer, "train_epoch", counted)
    compile(run)
    assert trained == [1]
    assert RunFolder.open(run).spec() == RunFolder.open(tmp_path / "again").spec()
    compile(run, bits=3)  # other options: from the beginning
    assert trained == [1, 0, 1]


def test_a_run_says_on_what_it_was_trained(run, event_arrays, event_file):
    log = RunFolder.open(run).read_json("training.json", "train")
    assert log["versions"].keys() >= {"python", "spikewright", "torch", "snntorch"}
    compile(run, method="ptq")
    assert RunFolder.open(run).read_json("compile.json", "")["data"] == log["data"]
    np.savez(event_file, **{**event_arrays, "p": 1 - event_arrays["p"]})
    with pytest.raises(RunFolderError, match="begun on other samples"):
        train(output=run, resume=True)
