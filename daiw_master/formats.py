"""What a file may be, written once: sample rates, bit depths and kinds of sound file."""

from __future__ import annotations

#: Sample rates a song is rendered and delivered at, Hz.
RATES = (44100, 48000, 88200, 96000)
#: Bit depths by name; 32f is float, the others are dithered.
BIT_DEPTHS = ("16", "24", "32f")
#: The usual endings, for those who name a format; files/write.py knows what each can hold.
ENDINGS = ("wav", "flac", "aiff", "mp3", "ogg")
#: What a recording to listen to may be called, where a folder of them is looked through.
SOUND_ENDINGS = (".wav", ".flac", ".aiff", ".aif", ".mp3", ".ogg")
#: What a MIDI file may be called.
MIDI_ENDINGS = (".mid", ".midi", ".smf", ".kar", ".rmi")
