"""The embedded engine: everything that needs no window.

Its parts are imported by name, such as `napari_landmarker.engine.project` or `napari_landmarker.engine.heatmap`, so
that nobody waits for torch who does not need it.
"""
