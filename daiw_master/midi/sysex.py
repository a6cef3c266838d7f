"""The few system exclusive messages a General MIDI player obeys: resets, drum parts, master volume.

Bodies as stored in a file: everything after F0. Sources: MIDI 1.0 universal messages, General MIDI 2,
Roland GS (SC-88 owner's manual, parameter address map), Yamaha XG specification 1.26.
"""

from __future__ import annotations

from daiw_master.midi.gm import DRUM_CHANNEL

_GM_ON = (b"\x09\x01", b"\x09\x03")  # sub-IDs of GM1 and GM2 system on
_MASTER_VOLUME = b"\x04\x01"
_GS_MODEL_AND_SET = b"\x42\x12"
_GS_RESET = b"\x40\x00\x7f\x00"
#: XG banks (CC 0) that hold drum kits.
XG_DRUM_BANKS = (126, 127)


def is_xg_on(body: bytes) -> bool:
    return len(body) >= 7 and body[0] == 0x43 and body[2:7] == b"\x4c\x00\x00\x7e\x00"


def is_reset(body: bytes) -> bool:
    """GM, GS or XG on: every channel back to its start."""
    gm_on = len(body) >= 4 and body[0] == 0x7E and body[2:4] in _GM_ON
    return gm_on or _gs_set(body) == _GS_RESET or is_xg_on(body)


def master_volume(body: bytes) -> int | None:
    """The universal master volume, 0-127 (its coarse byte), if this is one."""
    if len(body) >= 6 and body[0] == 0x7F and body[2:4] == _MASTER_VOLUME:
        return body[5] & 0x7F
    return None


def drum_part(body: bytes) -> tuple[int, bool] | None:
    """GS "use for rhythm part" (address 40 1x 15): the channel and whether it plays drums."""
    data = _gs_set(body)
    if len(data) < 4 or data[0] != 0x40 or data[1] >> 4 != 1 or data[2] != 0x15:
        return None
    part = data[1] & 0x0F
    # GS counts part 0 as channel 10, then channels 1-9, then 11-16.
    channel = DRUM_CHANNEL if part == 0 else part - 1 if part <= DRUM_CHANNEL else part
    return channel, data[3] != 0


def _gs_set(body: bytes) -> bytes:
    """Three address bytes and the first data byte of a Roland GS data set, else nothing."""
    return body[4:8] if len(body) >= 8 and body[0] == 0x41 and body[2:4] == _GS_MODEL_AND_SET else b""
