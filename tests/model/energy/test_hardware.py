import numpy as np
import pytest

from spikewright.model.energy.hardware import Hardware, HardwareError, bundled


def test_bundled_settings_differ_where_they_say():
    minimum, typical, worst = (Hardware.load(name) for name in bundled())
    assert typical.weight_pj(8) == pytest.approx(0.310)
    assert typical.weight_pj(4) == pytest.approx(0.155)
    assert (minimum.weight_pj(8), minimum.sparse_pj_per_bit_hop) == (0, 0)
    assert (worst.sparse_pj_per_bit_hop, worst.dense_pj_per_bit_hop) == (1300, 20.3)
    assert {each.accumulate_pj for each in (minimum, typical, worst)} == {0.05448}
    assert all(each.scope == "22 nm model constants" for each in (minimum, typical, worst))


def test_products_by_bits():
    typical = Hardware.load("typical")
    np.testing.assert_allclose(typical.mac_pj(np.arange(1, 7)),
                               [0.081, 0.0883, 0.1018, 0.1171, 0.1324, 0.1477])
    # Half the bits of a weight, half of what is above an addition.
    assert typical.mac_pj(4, 4) == pytest.approx((0.1171 + 0.05448) / 2)


def test_own_settings_build_on_bundled_ones(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nbase = "typical"\nscope = "my chip"\n'
                    'sparse_pj_per_bit_hop = 0.5\n')
    mine, typical = Hardware.load(str(file)), Hardware.load("typical")
    assert mine == typical.model_copy(update={
        "name": "mine", "description": "", "scope": "my chip", "sparse_pj_per_bit_hop": 0.5})


@pytest.mark.parametrize(("text", "message"), [
    ('base = "typical"\nsparse = 1', "sparse: Extra inputs are not permitted"),
    ('base = "typical"\naccumulate_pj = -1', "accumulate_pj: .* greater than or equal to 0"),
    ('base = "fast"', "base is 'fast'; allowed are minimum, typical, worst"),
    ('name = "mine"', "accumulate_pj: Field required"),
    ("name = ", "is no valid TOML"),
])
def test_wrong_settings_are_named(tmp_path, text, message):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(HardwareError, match=message):
        Hardware.load(str(file))


def test_missing_settings_are_named(tmp_path):
    with pytest.raises(HardwareError, match=r"'loihi' is no hardware; give a \.toml file"):
        Hardware.load("loihi")
    with pytest.raises(HardwareError, match="cannot be read"):
        Hardware.load(str(tmp_path / "none.toml"))
