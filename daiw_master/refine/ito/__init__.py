"""Inference-time optimisation: the settings of any chain searched until it sounds like a reference.

After Steinmetz et al. 2024, ST-ITO: the encoder says how alike two productions are, the search turns the
knobs. Here knobs move on the scale they are heard on, every candidate hears the same windows, a prior
holds them near where they came from, and gradients lead where they are true.
"""

from daiw_master.refine.ito.rehearsal import Reading, Rehearsal, rehearse
from daiw_master.refine.ito.search import Found, sound_like
from daiw_master.refine.ito.windows import choose_windows

__all__ = ["Found", "Reading", "Rehearsal", "choose_windows", "rehearse", "sound_like"]
