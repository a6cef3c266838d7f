"""Training the style encoder: dry contents, random chains on them, and a fit."""
