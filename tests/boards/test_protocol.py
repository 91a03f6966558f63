import dataclasses

import pytest

from spikewright.boards.protocol import (
    EVENT,
    EVENT_BITS,
    MAX_INPUTS,
    MAX_SKIPS,
    MAX_TICKS,
    SKIP,
    SKIP_BITS,
    TICKS,
    BoardFaultError,
    Command,
    Fault,
    Identity,
    LinkError,
    WrongBitstreamError,
    require_inputs,
)

from ..gen.examples import one_layer, two_layers
from .identities import WORDS

SPEC = two_layers(inputs=300, classes=5, timesteps=8)
IDENTITY = Identity.of(SPEC, shape="5e" * 32, ways=1, score_bits=5, counter_words=WORDS,
                       window=512, buffer=1024)


def test_identity_survives_the_wire():
    assert Identity.unpack(IDENTITY.pack()) == IDENTITY
    assert len(IDENTITY.pack()) == Identity.BYTES
    assert bytes.fromhex(SPEC.digest).startswith(IDENTITY.digest)
    IDENTITY.expect(SPEC)


def test_another_network_is_noticed():
    with pytest.raises(WrongBitstreamError, match="program the bitstream of this run"):
        IDENTITY.expect(two_layers(seed=1))


def test_another_version_is_noticed():
    with pytest.raises(WrongBitstreamError, match="speaks version 1 of the protocol"):
        Identity.unpack(dataclasses.replace(IDENTITY, version=1).pack())


def test_too_many_inputs_are_refused():
    with pytest.raises(LinkError, match="has 32769 inputs, which take 65536 addresses with 1 way"):
        require_inputs(one_layer(32769, 1))
    require_inputs(one_layer(32768, 1))
    # Ways that are no power of two leave addresses unused.
    require_inputs(one_layer(24576, 1), ways=3)
    with pytest.raises(LinkError, match="24577 inputs, which take 49152 addresses with 3 ways"):
        require_inputs(one_layer(24577, 1), ways=3)


def test_every_fault_has_words():
    for fault in Fault:
        assert f"fault {int(fault)}" not in str(BoardFaultError(fault))


def test_every_byte_means_one_thing():
    assert all(command < TICKS for command in Command)
    assert TICKS + MAX_TICKS == SKIP
    assert SKIP + (1 << SKIP_BITS) == EVENT
    assert EVENT + (1 << EVENT_BITS) == 256
    assert MAX_INPUTS <= 1 << EVENT_BITS + MAX_SKIPS * SKIP_BITS
