"""A study that needs no training, and one that trains for a second."""

import pytest

from spikewright.model.study.settings import Study

TINY = """
name = "tiny"
recipe = "digits"
samples = 10
[set]
epochs = 1
hidden = [8]
timesteps = 3
data.train = 60
quantisation.method = "ptq"
[space]
beta = [0.75, 0.9375]
seed = [0, 1, 2]
lanes = ["8,1", "4,2"]
"""


@pytest.fixture
def tiny_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def tiny(tiny_file):
    return Study.load(str(tiny_file))


@pytest.fixture
def make_study():
    """Factory of studies from fields, where only the space must be given."""

    def make(space, **fields):
        return Study.model_validate({"name": "made", "space": space, **fields})

    return make
