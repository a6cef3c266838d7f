"""Form: how strong each section of a song is meant to be, and the curve a fader follows from it."""

from daiw_master.form.curve import energy_curve
from daiw_master.form.form import Form, Point, form_of
from daiw_master.form.shapes import Shape, shapes

__all__ = ["Form", "Point", "Shape", "energy_curve", "form_of", "shapes"]
