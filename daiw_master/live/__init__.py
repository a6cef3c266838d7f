"""The mastering chain while somebody plays: small blocks in, small blocks out, knobs in hand."""

from daiw_master.live.live import Latency, Live

__all__ = ["Latency", "Live"]
