"""What the open session knows. Qt and napari are never imported here."""
