"""``python -m napari_landmarker``: the command line."""

from napari_landmarker.cli import main

if __name__ == "__main__":
    main()
