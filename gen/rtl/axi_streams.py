"""What a transfer of each AXI channel carries; valid and ready are those of Amaranth's streams."""

from typing import Any

from amaranth.lib import data


class AxisLayout(data.StructLayout):
    """One transfer of AXI4-Stream.

    Members
    -------
    data : 8 × ``width`` bits
    keep : ``width`` bits
        The byte is meant; present only with ``keep``.
    last : 1
        The packet ends.
    """

    def __init__(self, width: int, *, keep: bool = False):
        members: dict[str, Any] = {"data": 8 * width}
        if keep:
            members["keep"] = width
        super().__init__(members | {"last": 1})


#: Bits of a register's address, of which the lowest two are 0; and of its content.
AXIL_ADDRESS, AXIL_DATA = 12, 32

#: The channels of AXI4-Lite.
AXIL_REQUEST = data.StructLayout({"addr": AXIL_ADDRESS, "prot": 3})
AXIL_WRITE = data.StructLayout({"data": AXIL_DATA, "strb": AXIL_DATA // 8})
AXIL_RESPONSE = data.StructLayout({"resp": 2})
AXIL_READ = data.StructLayout({"data": AXIL_DATA, "resp": 2})

OKAY, SLVERR = 0b00, 0b10


def word_bytes(bits: int) -> int:
    """Bytes of the smallest word of 1, 2, 4, … bytes that holds ``bits``."""
    count = 1
    while 8 * count < bits:
        count *= 2
    return count
