"""What the papers at the top say is there, is there."""

import re
import subprocess

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/formats.md",
        "docs/guide.md",
        "docs/images.md",
        "docs/datasets.md",
        "docs/models.md",
        "docs/uncertainty.md",
    ],
)
def test_links_into_the_repository_lead_somewhere(repository, name):
    links = re.findall(r"\]\(([^)#]+)\)", (repository / name).read_text())
    for link in links:
        if not link.startswith("http"):
            assert ((repository / name).parent / link).exists(), link


def test_make_help_names_every_target(repository):
    shown = subprocess.run(["make", "help"], cwd=repository, capture_output=True, text=True).stdout
    makefile = (repository / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split()
    assert {"setup", "demo", "test", "lint", "screenshots", "bench", "help"} <= set(targets)
    for target in targets:
        assert f"make {target} " in shown


def test_every_command_of_the_readme_is_a_command_with_these_options(repository):
    from typer.main import get_command

    from napari_landmarker.cli import app

    commands = get_command(app).commands
    options = {name: {o for p in command.params for o in p.opts} for name, command in commands.items()}
    readme = (repository / "README.md").read_text()
    rows = re.findall(r"`napari-landmarker (\w+)([^`]*)`", readme)
    rows += re.findall(r"^napari-landmarker (\w+)([^#\n]*)", readme, re.M)
    assert {name for name, _ in rows} == set(commands)
    for name, words in rows:
        assert set(re.findall(r"--[a-z-]+", words)) <= options[name], name


def test_the_example_in_the_readme_prints_what_it_says(repository, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.S)
    (block,) = [block for block in blocks if "heatmap_to_coord" in block]
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == block.rsplit("# ", 1)[1].strip()


def test_the_listing_of_regions_prints_what_it_says(repository, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (repository / "docs" / "uncertainty.md").read_text(), re.S)
    exec(compile(block, "uncertainty.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^# prints: (.*)$", block, re.M)


def test_the_regressors_of_the_paper_are_named_where_they_are_looked_for(repository):
    from napari_landmarker.engine import uncertainty

    names = [name for name in uncertainty.__all__ if "Regressor" in name or name.startswith("MR2C")]
    assert len(names) == 7
    for page in ("README.md", "docs/uncertainty.md"):
        text = (repository / page).read_text()
        assert [name for name in names if f"`{name}`" not in text] == [], page


def test_every_command_of_the_page_on_regions_has_these_options(repository):
    from typer.main import get_command

    from napari_landmarker.cli import app

    commands = get_command(app).commands
    rows = re.findall(r"^napari-landmarker (\w+)([^#\n]*)", (repository / "docs" / "uncertainty.md").read_text(), re.M)
    assert [name for name, _ in rows] == ["calibrate", "predict", "evaluate"]
    for name, words in rows:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", words)) <= known


def test_the_listings_in_the_readme_are_those_of_the_script(repository):
    blocks = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.S)
    (block,) = [block for block in blocks if "detection_report" in block]
    script = (repository / "docs" / "tutorials" / "paper_listings.py").read_text()
    lines = {line.strip() for line in script.splitlines()}
    shown = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#")]
    assert len(re.findall(r"^# \d\. ", block, re.M)) == len(re.findall(r"# Listing \d:", script)) == 6
    assert [line for line in shown if line not in lines] == []


def test_the_readme_says_what_each_preset_is(repository):
    from napari_landmarker.engine.train.presets import PRESETS

    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", (repository / "README.md").read_text(), re.M)
    assert {name: words for name, words in rows if name in PRESETS} == {
        preset.name: preset.description for preset in PRESETS.values()
    }


def test_shell_scripts_are_sound(repository):
    for script in [*(repository / "scripts").glob("*.sh"), repository / ".ci" / "run"]:
        shell = "bash" if script.name == "run" else "sh"
        done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
