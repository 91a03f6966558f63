"""The registers behind the AXI4-Lite port: what is where; hardware, tables and tests share it."""

import enum

#: "SPKW", at the lowest address.
IDENTITY = 0x53504B57
#: Of this map.
MAP_VERSION = 1

#: Where the counters begin, and where the address space ends.
COUNTERS, END = 0x400, 0x1000


class Register(enum.IntEnum):
    """Byte address of each 32-bit register."""

    #: Read: :data:`IDENTITY`.
    IDENTITY = 0x00
    #: Read: :data:`MAP_VERSION`.
    VERSION = 0x04
    #: Read: :class:`Status`.
    STATUS = 0x08
    #: Read: :class:`Fault` since reset; write: clears those that are 1.
    FAULTS = 0x0C
    #: Write: :class:`Control`.
    CONTROL = 0x10
    #: Write: up to four bytes of weights, those strobed, the lowest first.
    LOAD = 0x14
    #: Read: how many bytes of weights there are to load.
    LOAD_BYTES = 0x18
    #: Read: words of the counters' window.
    COUNTER_WORDS = 0x1C
    INPUTS = 0x20
    CLASSES = 0x24
    TIMESTEPS = 0x28
    LAYERS = 0x2C
    #: Read: words of a transfer on s_axis.
    WAYS = 0x30
    #: Read: bytes of a word on s_axis, and of one on m_axis above them from bit 16 on.
    WORD_BYTES = 0x34
    #: Read: first of eight words of the network's digest, its leading hexadecimal digits first.
    DIGEST = 0x40


class Status(enum.IntFlag):
    """Bits of :attr:`Register.STATUS`."""

    #: All weights are in.
    LOADED = 1
    #: An inference is under way, from its first beat to its last word on m_axis.
    BUSY = 2
    #: What a reset left behind has been swept; s_axis waits for it.
    READY = 4


class Control(enum.IntFlag):
    """Bits of :attr:`Register.CONTROL`."""

    #: Zero the counters.
    CLEAR = 1
    #: The next byte of weights is the first; only while not busy.
    BEGIN_LOAD = 2


class Fault(enum.IntFlag):
    """Bits of :attr:`Register.FAULTS`."""

    #: An event was left out: its address does not exist, or does not ascend.
    ADDRESS = 1
    #: An event was left out: its value is 0.
    VALUE = 2
    #: A packet had more timesteps than the network takes; the rest was left out.
    TIMESTEPS = 4
    #: A write to load weights was left out, because an inference was under way.
    LOAD = 8
