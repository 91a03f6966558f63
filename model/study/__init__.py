"""``spikewright study``: from training choices to hardware, over many runs.

A study is a TOML file (:mod:`.settings`): fields that vary (:mod:`.space`), and how they are
searched (:mod:`.search`). A trial (:mod:`.trial`) is one choice of all of them. A job (:mod:`.job`)
trains a net once and measures every trial that is about it; jobs run on Dask workers
(:mod:`.cluster`), each of which writes what it found into one store (:mod:`.store`).
"""
