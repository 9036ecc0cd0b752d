"""`TrainingRun`: event lines in, curve and outcome out."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_landmarker.state.training import TrainingRun, TrainingState, duration

STARTED = {
    "event": "started", "model": "auto-1", "preset": "auto", "device": "cpu", "n_train": 40, "n_validation": 9,
    "unit": "mm", "max_minutes": 4.0,
}  # fmt: skip
PROGRESS = {
    "event": "progress", "fraction": 0.25, "elapsed_s": 10.0, "remaining_s": 30.0, "epoch": 1, "step": 7,
    "train_loss": 2.0,
}  # fmt: skip


def judged(step: int, error: float | None) -> dict[str, object]:
    return {
        "event": "epoch", "epoch": step // 5, "step": step, "train_loss": 1.0, "validation_loss": 1.5,
        "validation_error": error, "unit": "mm", "elapsed_s": float(step), "remaining_s": 40.0 - step,
    }  # fmt: skip


def lines(*events: dict[str, object]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


FINISHED = {"event": "finished", "model": "auto-1", "validation_error": 3.5, "unit": "mm", "stopped": True}
WHOLE = lines(STARTED, PROGRESS, judged(10, 9.0), judged(20, 3.5), judged(30, 4.0), FINISHED)


def test_numbers_of_a_run() -> None:
    run = TrainingRun()
    run.feed(lines(STARTED, PROGRESS))
    assert (run.state, run.model, run.n_train, run.n_validation) == (TrainingState.RUNNING, "auto-1", 40, 9)
    assert (run.unit, run.device, run.max_minutes) == ("mm", "cpu", 4.0)
    assert (run.fraction, run.elapsed_s, run.remaining_s) == (0.25, 10.0, 30.0)
    run.feed(lines(judged(10, 9.0), judged(20, 3.5), judged(30, 4.0)))
    assert [p.validation_error for p in run.curve] == [9.0, 3.5, 4.0]
    assert [p.elapsed_s for p in run.curve] == [10.0, 20.0, 30.0]
    assert run.best is run.curve[1]


def test_running_mean_of_the_loss() -> None:
    run = TrainingRun()
    for second, loss in enumerate((2.0, 1.0, 1.0)):
        run.feed(lines({**PROGRESS, "elapsed_s": float(second), "train_loss": loss}))
    assert run.losses == [(0.0, 2.0), (1.0, pytest.approx(1.5)), (2.0, pytest.approx(1.25))]


def test_losses_are_thinned_out_but_keep_both_ends() -> None:
    run = TrainingRun()
    run.feed("".join(lines({**PROGRESS, "elapsed_s": float(n), "train_loss": 1.0}) for n in range(9_000)))
    times = [time for time, _ in run.losses]
    assert len(times) <= 4_000
    assert times[0] == 0.0
    assert times[-1] >= 8_990
    assert times == sorted(times)


def test_outcome_comes_when_the_process_is_gone_and_once() -> None:
    run, outcomes = TrainingRun(), []
    run.ended.connect(outcomes.append)
    run.feed(WHOLE)
    assert outcomes == []
    assert not run.state.ended
    run.close()
    run.close()
    assert outcomes == [TrainingState.FINISHED]
    assert (run.validation_error, run.stopped, run.fraction) == (3.5, True, 1.0)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=30))
def test_pieces_of_any_size_give_the_same_run(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(WHOLE)]
    run = TrainingRun()
    for start, end in itertools.pairwise(edges):
        run.feed(WHOLE[start:end])
    run.close()
    assert (run.state, run.fraction, len(run.curve)) == (TrainingState.FINISHED, 1.0, 3)


@given(
    st.text(), st.dictionaries(st.sampled_from([*PROGRESS, "model", "message"]), st.none() | st.text() | st.floats())
)
def test_chatter_and_odd_events_do_no_harm(text: str, event: dict[str, object]) -> None:
    run = TrainingRun()
    run.feed(text + "\n{not json}\n[1]\n{}\n" + lines({"event": "unknown"}))
    run.feed(lines(*({**event, "event": kind} for kind in ("progress", "epoch", "started"))))
    assert 0 <= run.fraction <= 1
    assert not run.state.ended
    run.feed(lines({"event": "cancelled"}))
    run.close()
    assert run.state is TrainingState.CANCELLED


def test_last_line_without_an_end_counts() -> None:
    run = TrainingRun()
    run.feed(lines(STARTED) + json.dumps(FINISHED))
    run.close()
    assert run.state is TrainingState.FINISHED


def test_failure_is_one_sentence() -> None:
    run = TrainingRun()
    run.feed(lines(STARTED, {"event": "failed", "message": "The disk is full."}))
    run.close()
    assert (run.state, run.message) == (TrainingState.FAILED, "The disk is full.")


def test_a_process_that_dies_is_a_failure_with_a_way_on() -> None:
    run = TrainingRun()
    run.feed(lines(STARTED, PROGRESS))
    run.close()
    assert run.state is TrainingState.FAILED
    assert "ended unexpectedly" in run.message
    assert run.message.count(". ") == 0


def test_cancel_then_death_is_a_cancel() -> None:
    run = TrainingRun()
    run.feed(lines(STARTED))
    run.ask(TrainingState.CANCELLING)
    run.close(killed=True)
    assert run.state is TrainingState.CANCELLED


def test_a_stop_that_was_asked_before_the_start_stays_visible() -> None:
    run = TrainingRun()
    run.ask(TrainingState.STOPPING)
    run.feed(lines(STARTED))
    assert run.state is TrainingState.STOPPING


def test_events_after_the_end_change_nothing() -> None:
    run = TrainingRun()
    run.feed(WHOLE)
    run.close()
    run.feed(lines({"event": "failed", "message": "late"}))
    run.ask(TrainingState.CANCELLING)
    assert (run.state, run.message) == (TrainingState.FINISHED, "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a moment"), (3.2, "3 s"), (23, "25 s"), (54, "55 s"), (56, "about 1 min"), (200, "about 3 min"),
        (89 * 60, "about 89 min"), (2 * 3600, "about 2 h"), (2.5 * 3600, "about 2 h 30 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
