"""What the composer means: words in, reasons and shifts out.

parse_emotion("overwhelming grief").shift()["reverb_decay_s"]
Shift(field='reverb_decay_s', by=3.84, why='over three seconds: long enough to wait for ...')
"""

from __future__ import annotations

from daiw_master.intent.affect import Affect
from daiw_master.intent.categories import Category, categories
from daiw_master.intent.emotions import Emotion, emotion_names, parse_emotion, split_emotions
from daiw_master.intent.lexicon import LEXICON, Word

__all__ = [
    "LEXICON",
    "Affect",
    "Category",
    "Emotion",
    "Word",
    "categories",
    "emotion_names",
    "parse_emotion",
    "split_emotions",
]
