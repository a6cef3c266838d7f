"""General MIDI by name: instruments, drum keys, and what each does in an arrangement.

Source: General MIDI System Level 1 (MIDI Association, RP-003), sound set and percussion map.
"""

from __future__ import annotations

#: The wire's channel for percussion (written 10 on paper).
DRUM_CHANNEL = 9

INSTRUMENTS = tuple(
    name.strip()
    for name in """
    Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano,
    Electric Piano 1, Electric Piano 2, Harpsichord, Clavinet,
    Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone, Tubular Bells, Dulcimer,
    Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion, Harmonica, Bandoneon,
    Nylon Guitar, Steel Guitar, Jazz Guitar, Clean Guitar,
    Muted Guitar, Overdriven Guitar, Distortion Guitar, Guitar Harmonics,
    Acoustic Bass, Fingered Bass, Picked Bass, Fretless Bass,
    Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2,
    Violin, Viola, Cello, Contrabass, Tremolo Strings, Pizzicato Strings, Harp, Timpani,
    String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2,
    Choir Aahs, Voice Oohs, Synth Voice, Orchestra Hit,
    Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1, Synth Brass 2,
    Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet,
    Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina,
    Square Lead, Sawtooth Lead, Calliope Lead, Chiff Lead, Charang Lead, Voice Lead,
    Fifths Lead, Bass and Lead,
    New Age Pad, Warm Pad, Polysynth Pad, Choir Pad, Bowed Pad, Metallic Pad, Halo Pad, Sweep Pad,
    Rain, Soundtrack, Crystal, Atmosphere, Brightness, Goblins, Echoes, Sci-fi,
    Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai,
    Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal,
    Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring, Helicopter, Applause, Gunshot
    """.split(",")
)

#: What the sixteen families of eight do, before name and range are heard.
_FAMILY_ROLES = (
    "keys", "keys", "keys", "other", "bass", "lead", "pad", "lead",
    "lead", "lead", "lead", "pad", "pad", "lead", "drums", "other",
)  # fmt: skip
#: Where a single instrument differs from its family.
_INSTRUMENT_ROLES = {
    43: "bass",  # contrabass
    44: "pad",  # tremolo strings
    45: "other",  # pizzicato
    46: "keys",  # harp
    47: "drums",  # timpani
    55: "other",  # orchestra hit
    58: "bass",  # tuba
    87: "bass",  # bass and lead
    112: "keys",  # tinkle bell
    114: "keys",  # steel drums
}

#: Choir aahs, voice oohs, synth voice.
SINGERS = frozenset((52, 53, 54))
#: Bass drums and low toms: what a reverb must not smear.
LOW_DRUMS = frozenset((35, 36, 41, 43, 45))
KICKS = frozenset((35, 36))
SNARES = frozenset((37, 38, 39, 40))
HATS = frozenset((42, 44, 46))
#: The keys a plain beat is made of; 49 and 51 are the first crash and ride.
CORE_KIT = KICKS | SNARES | HATS | {49, 51}


def instrument_role(program: int) -> str:
    """What an instrument usually does: bass, lead, pad, keys, drums or other."""
    return _INSTRUMENT_ROLES.get(program, _FAMILY_ROLES[program // 8])
