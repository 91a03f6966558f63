from spikewright.boards.registry import BOARDS


def test_every_board_is_listed(spikewright):
    code, out, _ = spikewright("boards", "--json")
    assert code == 0
    assert [row["name"] for row in out["boards"]] == [board.name for board in BOARDS]
    assert out["boards"][0]["serial"] == "USB"
    code, out, _ = spikewright("boards")
    assert code == 0
    assert "adapter" in out


def test_what_fits_is_told_for_a_run(make_run, spikewright, monkeypatch):
    some = [board for board in BOARDS if board.name in ("icestick", "ulx3s-12f")]
    monkeypatch.setattr("spikewright.boards.list_command.BOARDS", some)
    code, out, _ = spikewright("boards", make_run().path, "--json")
    assert code == 0
    assert [row["fits"] for row in out["boards"]] == [False, True]
    assert out["boards"][1]["smallest"]["logic"] > 500
