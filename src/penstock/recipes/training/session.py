"""What both loops do besides training: count, show, log, save, and stop between two steps when asked to."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import numpy as np
from tqdm import tqdm

from penstock.recipes.training.checkpoint import Checkpoint, replacing, write_checkpoint
from penstock.recipes.training.job import Job

Snapshot = Callable[[], Checkpoint]
"""Fills in what the loop alone knows: `pipeline`, `metrics` and `variables`."""

OnStep = Callable[[int, float], None]


class TrainingStopped(Exception):
    """The run was asked to stop, and has saved its state.

    Attributes:
        checkpoint: The file that it goes on from.
        step: Steps done.
    """

    def __init__(self, checkpoint: Path, step: int) -> None:
        super().__init__(f"stopped after step {step}; saved as {checkpoint}")
        self.checkpoint = checkpoint
        self.step = step


@dataclass
class StepClock:
    """How long steps take, and how long they wait for their input.

    Attributes:
        total_seconds: Whole steps, from the end of one to the end of the next, with their result awaited.
        waited_seconds: The part of it in which the pipeline was waited for.
    """

    total_seconds: float = 0.0
    waited_seconds: float = 0.0
    _began: float = 0.0

    def start(self) -> None:
        """Begin to measure a step."""
        self._began = time.perf_counter()

    def stop(self, waited_seconds: float, counts: bool) -> None:
        """End it; `counts` is False for a step that compiled, which would make the share of waiting look small."""
        if counts:
            self.total_seconds += time.perf_counter() - self._began
            self.waited_seconds += waited_seconds

    @property
    def waiting_share(self) -> float:
        """Waiting for input as a share of step time; 0 where no step was measured."""
        return self.waited_seconds / self.total_seconds if self.total_seconds else 0.0


class Session:
    """The course of one run, from the checkpoint it starts from.

    Args:
        job: What is trained.
        num_batches: Steps of an epoch.
        start: Where to go on; a new `Checkpoint` for the beginning.
        on_step: Called with number and loss of each step, when it is done, logged and, where that is due, saved.
        progress: Show a progress bar per epoch on stderr.
    """

    def __init__(
        self, job: Job[Any], num_batches: int, start: Checkpoint, on_step: OnStep | None, progress: bool
    ) -> None:
        self.settings = job.settings
        self.num_batches = num_batches
        self.start = start
        self.clock = StepClock()
        self.step = start.step
        self.history = list(start.history)
        self.checkpoint_path = checkpoint_path(job.settings.save_dir)
        self._told_of_epoch = job.told_of_epoch
        self._losses = start.losses.tolist()
        self._on_step = on_step
        self._progress = progress
        self._stop_asked = False
        self._epoch = self._batch = 0
        self._bar: tqdm[Any] | None = None
        self._log: TextIO | None = None
        self._compiled_rows = {False: False, True: False}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the log of losses open, and stop between two steps on Ctrl-C; a second one acts at once."""
        with _loss_log(self.settings.save_dir, self._losses) as self._log, self._on_interrupt():
            try:
                yield
            finally:
                if self._bar is not None:
                    self._bar.close()

    def begin_epoch(self, epoch: int, batch: int) -> None:
        """Say that steps of `epoch`, from 0, follow, of which `batch` were done before."""
        self._epoch, self._batch = epoch, batch
        self._bar = tqdm(
            total=self.num_batches,
            initial=batch,
            desc=f"epoch {epoch + 1}/{self.settings.epochs}",
            unit="step",
            leave=False,
            disable=None if self._progress else True,
            file=sys.stderr,
        )
        self.clock.start()

    def end_step(self, loss: float, metrics: dict[str, float], waited_seconds: float, snapshot: Snapshot) -> None:
        """Count a step that is done; save where that is due.

        Args:
            loss: Of this step's batch.
            metrics: Of the epoch so far, to be shown.
            waited_seconds: How long the step waited for its batch.
            snapshot: Takes the state of the loop.

        Raises:
            TrainingStopped: Ctrl-C came during the step; the state is saved.
        """
        self.step += 1
        self._batch += 1
        is_last = self._batch == self.num_batches
        self.clock.stop(waited_seconds, counts=self._compiled_rows[is_last])
        self._compiled_rows[is_last] = True
        self._losses.append(loss)
        assert self._log is not None
        assert self._bar is not None
        self._log.write(_loss_row(self.step, loss))
        self._log.flush()
        self._bar.set_postfix({name: f"{value:.4f}" for name, value in metrics.items()}, refresh=False)
        self._bar.update()
        # The end of the epoch saves anyway, and a state of "no batch left" would be a second way to say the same.
        if not is_last and (self._stop_asked or self.step % self.settings.save_every == 0):
            self._save(snapshot, self._epoch, self._batch)
        if self._on_step is not None:
            self._on_step(self.step, loss)
        self.clock.start()

    def end_epoch(self, metrics: dict[str, float], snapshot: Snapshot) -> None:
        """Report an epoch that is done, and save.

        Raises:
            TrainingStopped: Ctrl-C came during its last step; the state is saved.
        """
        assert self._bar is not None
        self._bar.close()
        self.history.append(metrics)
        print(f"epoch {self._epoch + 1}/{self.settings.epochs}: {self._told_of_epoch(metrics)}", flush=True)
        self._save(snapshot, self._epoch + 1, 0)

    def _save(self, snapshot: Snapshot, epoch: int, batch: int) -> None:
        taken = snapshot()
        checkpoint = replace(
            taken,
            identity=self.settings.identity(),
            epoch=epoch,
            batch=batch,
            step=self.step,
            pipeline=taken.pipeline if batch else None,
            history=self.history,
            losses=np.array(self._losses),
        )
        write_checkpoint(self.checkpoint_path, checkpoint)
        if self._stop_asked:
            raise TrainingStopped(self.checkpoint_path, self.step)

    @contextmanager
    def _on_interrupt(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # Only the main thread may handle signals; elsewhere Ctrl-C is the caller's.
            return

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            self._stop_asked = True
            signal.signal(signal.SIGINT, previous)

        previous = signal.signal(signal.SIGINT, ask_to_stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)


def checkpoint_path(save_dir: Path) -> Path:
    """Where a run saves its state."""
    return save_dir / "checkpoint.npz"


def losses_path(save_dir: Path) -> Path:
    """Where a run logs the loss of each step, as CSV."""
    return save_dir / "losses.csv"


@contextmanager
def _loss_log(save_dir: Path, losses: list[float]) -> Iterator[TextIO]:
    """The log, begun anew with the losses up to the step that the run starts from."""
    path = losses_path(save_dir)
    with replacing(path) as file:
        rows = [_loss_row(step, loss) for step, loss in enumerate(losses, start=1)]
        file.write(("step,loss\n" + "".join(rows)).encode())
    with path.open("a", encoding="utf-8", newline="") as log:
        yield log


def _loss_row(step: int, loss: float) -> str:
    return f"{step},{loss!r}\n"
