"""The tutorials run, shortened."""

import re
import runpy


def test_the_listings_of_the_paper(repository, tmp_path):
    main = runpy.run_path(str(repository / "docs" / "tutorials" / "paper_listings.py"))["main"]
    error = main(epochs=6, size=(48, 72), channels=16, images=16, out=tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"inspection.png", "predictions.png", "errors.png", "report.txt", "summary.txt"}
    overall = re.search(r"^All landmarks +([\d.]+)", (tmp_path / "report.txt").read_text(), re.M)[1]
    assert float(overall) == round(error, 2)
    assert error < 75  # always saying the mean position of the learnt landmarks is 83 px off
