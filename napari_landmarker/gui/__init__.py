"""The napari window: one dock widget, its panels, and the two layers it keeps in step with the session."""
