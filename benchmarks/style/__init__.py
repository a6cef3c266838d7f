"""How well a style can be told, found again, measured and moved: `python -m benchmarks.style COMMAND`.

Every method hears the same files, drawn once and frozen in `trials/`. Nothing here is part of the
package; the package is what is measured.
"""
