import torch

from spikewright.gen.runfolder import RunFolder
from spikewright.model import runs
from spikewright.model.study import job


def test_a_net_stopped_before_its_last_record_is_finished(tiny, tmp_path):
    trial = tiny.trial({"beta": 0.75, "seed": 0, "lanes": "8,1"})
    run = job.trained(tmp_path / "net", trial, None)
    kept = run.results("study")
    run.record("study", {})  # as a process leaves it that was killed just before
    again = job.trained(tmp_path / "net", trial, None).results("study")
    assert {**again, "seconds": 0} == {**kept, "seconds": 0}
    assert job.measured(RunFolder.open(run.path), trial)["training"] == kept["training"]


def test_spikes_in_training_are_those_of_the_float_net(tiny, tmp_path):
    trial = tiny.trial({"beta": 0.75, "seed": 0, "lanes": "8,1"})
    run = job.trained(tmp_path / "net", trial, None)
    net = runs.trained_net(run, trial.recipe, None)
    net.net.eval()
    with torch.no_grad():
        x = torch.from_numpy(net.samples.spikes).float().transpose(0, 1)
        activity = runs.forward(net.net, net.recipe)(x)
    found = run.results("study")["training"]
    assert found["spikes"] == [float(layer.sum()) / 60 for layer in activity.spikes]
    assert found["input_spikes"] == net.samples.spikes.sum() / 60
    assert found["loss"] == run.read_json("training.json", "train")["history"][-1]["loss"]
