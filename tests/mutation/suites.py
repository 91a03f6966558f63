"""Which tests are tried on a faulty component: the nearest first, each list the cheapest first."""

from collections.abc import Mapping

_EACH_RESET = "gen/test_network.py::test_equals_golden_for_every_reset_timing_and_number_of_rows"
_WHOLE = (f"{_EACH_RESET}[Reset.SUBTRACT-True-4]",
          "gen/test_network.py::test_equals_golden_on_a_net_of_everything", _EACH_RESET)
_CONVOLUTION = ("gen/test_conv.py", _WHOLE[1], "formal/test_conv_places.py")
_LEFT_OUT = ("gen/test_network.py"
             "::test_a_read_of_counters_that_are_left_out_is_answered_at_once")
_NO_ANSWER = ("gen/test_watchdog.py"
              "::test_a_network_that_took_everything_and_does_not_answer_is_wedged")
_OVERLAP = "boards/test_batch.py::test_the_cycle_model_knows_inferences_that_overlap"
_LEFT_OVER = "gen/test_counters.py::test_a_pixel_that_no_window_holds"
_WAITING = ("gen/test_network.py"
            "::test_inferences_that_wait_for_their_results_are_all_under_way")
_CYCLES = tuple(f"gen/test_cycles.py::test_equals_hardware[{seed}]" for seed in range(8))
_TALK = ("boards/test_top.py::test_ping_is_answered_in_turn",
         "boards/test_top.py::test_results_and_all_counters_equal_the_simulated_network")

#: Of each component the tests that know it best: seconds for each.
NEAREST: Mapping[str, tuple[str, ...]] = {
    "gen/rtl/activity.py": ("gen/test_protection.py", "gen/test_linear.py", "gen/test_conv.py"),
    "gen/rtl/array.py": (
        "gen/test_exit.py::test_a_held_input_is_swept_no_more_once_decided", *_WHOLE,
        "formal/test_array.py"),
    **dict.fromkeys((f"gen/rtl/{name}.py" for name in (
        "axi", "axi_events", "axi_lite", "axi_registers", "axi_restart", "axi_results",
        "axi_streams", "register_slice")), ("gen/test_axi.py", "formal/test_axi.py")),
    "gen/rtl/block_memory.py": _WHOLE,
    "gen/rtl/conv.py": _CONVOLUTION,
    "gen/rtl/conv_accumulators.py": _CONVOLUTION,
    "gen/rtl/conv_places.py": _CONVOLUTION,
    "gen/rtl/conv_sweep.py": _CONVOLUTION,
    "gen/rtl/counters.py": ("gen/test_counter_memory.py", "gen/test_counters.py",
                            "formal/test_counters.py"),
    "gen/rtl/exit.py": ("formal/test_exit.py", "gen/test_exit.py"),
    "gen/rtl/flat.py": ("gen/test_verilog.py",),
    "gen/rtl/layer.py": (
        *_WHOLE[:2], "gen/test_testbench.py::test_passes_in_icarus[loaded]", _EACH_RESET),
    "gen/rtl/linear.py": (_LEFT_OVER, "gen/test_linear.py", *_WHOLE),
    "gen/rtl/network.py": (
        _WHOLE[0], _LEFT_OUT, _OVERLAP, _NO_ANSWER, *_CYCLES, "gen/test_watchdog.py", _WAITING,
        *_WHOLE[1:]),
    "gen/rtl/neurons.py": (*_WHOLE, "gen/test_neurons.py"),
    "gen/rtl/parameters.py": (*_WHOLE, "gen/test_neurons.py"),
    "gen/rtl/places.py": ("gen/test_router.py", _WHOLE[1], "formal/test_places.py"),
    "gen/rtl/pooling.py": ("gen/test_pooling.py", _WHOLE[1], "formal/test_pooling.py"),
    "gen/rtl/protection.py": ("gen/test_protection.py", "formal/test_protection.py"),
    "gen/rtl/readout.py": ("gen/test_readout.py", *_WHOLE, "formal/test_readout.py"),
    "gen/rtl/recurrence.py": (_WHOLE[1], "formal/test_recurrence.py"),
    "gen/rtl/router.py": (_WHOLE[0], "gen/test_router.py", "formal/test_splitter.py",
                          "formal/test_way_join.py"),
    "gen/rtl/streams.py": ("gen/test_streams.py", *_WHOLE),
    "gen/rtl/sums.py": _WHOLE,
    "gen/rtl/tables.py": ("gen/test_tables.py",),
    "gen/rtl/image.py": ("gen/test_training.py",),
    "gen/rtl/loading.py": ("gen/test_weights.py", "gen/test_training.py"),
    "gen/rtl/weights.py": ("gen/test_weights.py", "gen/test_large_memories.py",
                           "formal/test_weights.py"),
    "gen/rtl/watchdog.py": ("gen/test_watchdog.py", "formal/test_watchdog.py"),
    "boards/uart.py": ("boards/test_uart.py", "formal/test_uart.py"),
    "boards/spi.py": ("boards/test_spi.py", "formal/test_spi.py"),
    "boards/hostlink.py": (*_TALK, "boards/test_batch.py"),
    "boards/cobs.py": ("boards/test_cobs.py", "formal/test_frames.py"),
    "boards/frames.py": ("boards/test_frames.py", "formal/test_frames.py"),
    "boards/command_decoder.py": (
        *(f"boards/test_command_decoder.py::test_{name}" for name in (
            "runs_of_ticks", "distances_have_as_many_bytes_as_they_need", "faults",
            "reset_ends_the_inference_with_the_event_it_holds",
            "a_load_has_as_many_bytes_as_it_says", "what_is_observed_is_said_in_three_bytes",
            "a_batch_runs_as_often_as_it_says",
            "decoder_makes_the_beats_of_the_signals")),
        _TALK[0], "boards/test_command_decoder.py", _TALK[1], "boards/test_batch.py",
        "boards/test_observer.py"),
    "boards/reply_encoder.py": ("boards/test_reply_encoder.py", *_TALK, "boards/test_observer.py"),
    "boards/buffer.py": ("boards/test_buffer.py", "formal/test_buffer.py", "boards/test_batch.py"),
    "boards/recovery.py": ("boards/test_watchdog.py", "formal/test_watchdog.py"),
    "boards/observer.py": (
        "boards/test_observer.py::test_a_word_is_a_membrane_above_a_spike",
        "boards/test_observer.py::test_membranes_that_are_too_wide_are_refused",
        "boards/test_observer.py::test_spikes_and_membranes_are_golden"),
    "boards/stage.py": ("formal/test_stage.py",),
    "boards/top.py": ("boards/test_lights.py", *_TALK, "boards/test_watchdog.py",
                      "boards/test_observer.py"),
}

#: Whole designs, in all their forms.
ACCELERATOR = (
    "gen/test_exit.py", "gen/test_cycles.py", "gen/test_network.py", "gen/test_verilog.py",
    "formal/test_linear.py", "formal/test_neurons.py", "formal/test_router.py",
    "boards/test_slices.py", "boards/test_top.py",
)
BOARD = ("boards/test_top.py", "formal/test_hostlink.py", "boards/test_host.py",
         "boards/test_build.py")

#: Files whose tests may take seconds.
WHOLE_DESIGNS = ("test_network.py", "test_exit.py", "test_cycles.py", "test_reset.py",
                 "test_axi.py", "test_watchdog.py", "test_protection.py", "test_verilog.py",
                 "test_large_memories.py", "test_slices.py",
                 "test_top.py", "test_build.py", "test_batch.py", "test_observer.py")
#: Tests that give resets; no other can find what a reset leaves behind.
RESETS = ("gen/test_reset.py", "boards/test_reset.py")


def nearest(file: str, kind: str = "") -> list[str]:
    """Test files, relative to ``tests``, that a fault of ``kind`` in ``file`` is tried on first."""
    if kind == "reset":
        return [RESETS[not file.startswith("gen")]]
    return list(NEAREST[file])


def wider(file: str, kind: str = "") -> list[str]:
    """Those that it is tried on when the nearest find nothing."""
    widest = ACCELERATOR if file.startswith("gen") else BOARD
    return [test for test in (RESETS if kind == "reset" else widest)
            if test not in nearest(file, kind)]
