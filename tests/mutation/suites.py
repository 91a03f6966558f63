"""Which tests are tried on a faulty component: the nearest first, each list the cheapest first."""

from collections.abc import Mapping

_EACH_RESET = "gen/test_network.py::test_equals_golden_for_every_reset_timing_and_number_of_rows"
_EVERYTHING = "gen/test_network.py::test_equals_golden_on_a_net_of_everything"

_CONVOLUTION = ("gen/test_conv.py", _EVERYTHING, "formal/test_conv_places.py")
_TALK = ("boards/test_top.py::test_ping_is_answered_in_turn",
         "boards/test_top.py::test_results_and_all_counters_equal_the_simulated_network")

#: Of each component the tests that know it best: seconds for each.
NEAREST: Mapping[str, tuple[str, ...]] = {
    "gen/rtl/activity.py": ("gen/test_linear.py", "gen/test_conv.py"),
    "gen/rtl/array.py": (_EACH_RESET, _EVERYTHING, "formal/test_array.py"),
    "gen/rtl/block_memory.py": (_EACH_RESET, _EVERYTHING),
    "gen/rtl/conv.py": _CONVOLUTION,
    "gen/rtl/conv_accumulators.py": _CONVOLUTION,
    "gen/rtl/conv_places.py": _CONVOLUTION,
    "gen/rtl/conv_sweep.py": _CONVOLUTION,
    "gen/rtl/counters.py": ("gen/test_counter_memory.py", "gen/test_counters.py",
                            "formal/test_counters.py"),
    "gen/rtl/exit.py": ("gen/test_exit.py", "formal/test_exit.py"),
    "gen/rtl/flat.py": ("gen/test_verilog.py",),
    "gen/rtl/layer.py": (_EACH_RESET, _EVERYTHING),
    "gen/rtl/linear.py": ("gen/test_linear.py", _EACH_RESET),
    "gen/rtl/network.py": (_EACH_RESET, _EVERYTHING, "gen/test_counters.py"),
    "gen/rtl/neurons.py": ("gen/test_neurons.py", _EACH_RESET, _EVERYTHING),
    "gen/rtl/parameters.py": ("gen/test_neurons.py", _EACH_RESET, _EVERYTHING),
    "gen/rtl/places.py": ("gen/test_router.py", "formal/test_places.py", _EVERYTHING),
    "gen/rtl/pooling.py": ("gen/test_pooling.py", "formal/test_pooling.py", _EVERYTHING),
    "gen/rtl/readout.py": ("gen/test_readout.py", _EACH_RESET, "formal/test_readout.py"),
    "gen/rtl/recurrence.py": ("formal/test_recurrence.py", _EVERYTHING),
    "gen/rtl/router.py": ("gen/test_router.py", "formal/test_splitter.py",
                          "formal/test_way_join.py", _EACH_RESET),
    "gen/rtl/streams.py": ("gen/test_router.py", _EACH_RESET, _EVERYTHING),
    "gen/rtl/sums.py": (_EACH_RESET, _EVERYTHING),
    "gen/rtl/weights.py": ("gen/test_weights.py", "gen/test_large_memories.py", "formal/test_weights.py"),
    "boards/uart.py": ("boards/test_uart.py", "formal/test_uart.py"),
    "boards/hostlink.py": _TALK,
    "boards/command_decoder.py": ("boards/test_command_decoder.py", *_TALK),
    "boards/reply_encoder.py": ("boards/test_reply_encoder.py", *_TALK),
    "boards/buffer.py": ("boards/test_buffer.py", "formal/test_buffer.py"),
    "boards/stage.py": ("formal/test_stage.py",),
    "boards/top.py": ("boards/test_lights.py", *_TALK),
}

#: Whole designs, in all their forms.
ACCELERATOR = ("formal/test_linear.py", "formal/test_neurons.py", "formal/test_router.py", "gen/test_exit.py", "gen/test_cycles.py", "gen/test_verilog.py",
               "gen/test_network.py", "boards/test_slices.py", "boards/test_top.py")
BOARD = ("boards/test_top.py", "formal/test_hostlink.py", "boards/test_host.py",
         "boards/test_build.py")


#: Tests that give resets; no other can find what a reset leaves behind.
RESETS = ("gen/test_reset.py", "boards/test_reset.py")


def nearest(file: str, kind: str = "") -> list[str]:
    """Test files, relative to ``tests``, that a fault of ``kind`` in ``file`` is tried on first."""
    if kind == "reset":
        return [RESETS[not file.startswith("gen")]]
    return list(NEAREST.get(file, (_EACH_RESET, _EVERYTHING)))


def wider(file: str, kind: str = "") -> list[str]:
    """Those that it is tried on when the nearest find nothing."""
    widest = ACCELERATOR if file.startswith("gen") else BOARD
    return [test for test in (RESETS if kind == "reset" else widest)
            if test not in nearest(file, kind)]
