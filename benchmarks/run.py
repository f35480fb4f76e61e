"""Penstock beside its limit and its peers, each program in its own process, rounds interleaved.

    python benchmarks/run.py                        everything, well over an hour
    python benchmarks/run.py --quick                three short rounds of everything
    python benchmarks/run.py --only mnist_memory    one workload

Tables are printed as each workload ends. A run of at least nine rounds with the peers also writes them into
benchmarks/RESULTS.md, beside those of the workloads that were run so before. The trials stay in runs/bench.

The peers live in an environment of their own, `.venv-peers`, which the first run makes. A round runs every contender
once, each round starting with another one, so that what slows the machine for a while slows all of them; ratios are
taken within a round, and their medians and 95 % bootstrap intervals over the rounds are what the tables show.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_branching_elements
import bench_buckets
import bench_disk_cache
import bench_full_shuffle
import bench_hand_over
import bench_large_photos
import bench_mnist_memory
import bench_photos
import bench_python_map
import bench_resume
import bench_slow_files
import bench_start
import bench_tiny_elements
import bench_worker_memory
import mnist_arrays
import photo_files
import report
from contender import Workload

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".venv-peers"
REQUIREMENTS = HERE / "requirements-peers.txt"
OWN_MODULES = ("numpy", "penstock.dataset")
TRIAL_SECONDS_AT_MOST = 180
FULL_ROUNDS = 9
"""Fewer give no 95 % interval worth the name."""
DISTRIBUTIONS = {"penstock.dataset": "penstock", "tensorflow": "tensorflow-cpu", "torch.utils.data": "torch"}
"""Where the distribution's name is not the module's."""


@dataclass(frozen=True)
class Race:
    """A workload and the command line that runs one contender of it."""

    name: str
    title: str
    contenders: tuple[Any, ...]
    script: str | None
    """The file in this folder that measures a contender; None where a contender is a whole program."""
    timed: bool = False
    """Whether the script takes --seconds."""
    beside_peers: bool = False
    """Whether penstock and the limit run in the peers' environment."""

    def interpreter(self, contender: Any) -> Path:
        """Penstock and NumPy run in this environment, peers in theirs; all in theirs where the workload needs it."""
        is_own = contender.module in OWN_MODULES and not self.beside_peers
        return Path(sys.executable) if is_own else PEERS / "bin" / "python"

    def source(self, contender: Any) -> Path | None:
        """Where penstock beside the peers comes from: it is this environment's, not a copy."""
        return own_source() if self.beside_peers and contender.module == "penstock.dataset" else None

    def command(self, contender: Any, verify: bool, seconds: float) -> list[str]:
        """The command line after the interpreter."""
        if self.script is None:
            return ["-c", contender.program, str(mnist_arrays.FOLDER.resolve())]
        wanted = ["--verify"] if verify else ["--seconds", str(seconds)] if self.timed else []
        return [str(HERE / self.script), contender.key, *wanted]


def race(workload: Workload) -> Race:
    script, beside_peers = f"bench_{workload.name}.py", workload.runs_beside_peers
    return Race(workload.name, workload.title, workload.contenders, script, True, beside_peers)


def hand_over(name: str, title: str, contenders: tuple[Any, ...]) -> Race:
    return Race(name, title, contenders, "bench_hand_over.py")


RACES = (
    race(bench_mnist_memory.WORKLOAD),
    race(bench_tiny_elements.WORKLOAD),
    race(bench_branching_elements.WORKLOAD),
    Race(bench_start.NAME, bench_start.TITLE, bench_start.CONTENDERS, None),
    Race(bench_resume.NAME, bench_resume.TITLE, bench_resume.CONTENDERS, "bench_resume.py"),
    race(bench_full_shuffle.WORKLOAD),
    race(bench_disk_cache.WORKLOAD),
    race(bench_buckets.WORKLOAD),
    race(bench_photos.WORKLOAD),
    race(bench_large_photos.WORKLOAD),
    race(bench_python_map.WORKLOAD),
    race(bench_slow_files.WORKLOAD),
    Race(
        bench_worker_memory.NAME,
        bench_worker_memory.TITLE,
        bench_worker_memory.CONTENDERS,
        "bench_worker_memory.py",
        timed=True,
    ),
    hand_over(bench_hand_over.THREADS_NAME, bench_hand_over.THREADS_TITLE, bench_hand_over.THREADS),
    hand_over(bench_hand_over.PROCESSES_NAME, bench_hand_over.PROCESSES_TITLE, bench_hand_over.PROCESSES),
)


class TrialFailed(Exception):
    """A contender's process ended badly; the message is the end of what it wrote."""


def main() -> None:
    options = parsed()
    if not options.without_peers:
        make_peers_environment()
    # As installers do: who edits penstock would measure the compiling of what he changed.
    compileall.compile_dir(own_source() / "penstock", quiet=1)
    mnist_arrays.write_arrays(options.data_dir)
    if options.photos_dir is not None:
        os.environ[photo_files.REAL_PHOTOS] = str(options.photos_dir.resolve())
    is_full = options.rounds >= FULL_ROUNDS and not options.without_peers
    trials = mnist_arrays.FOLDER / ("full.json" if is_full else "latest.json")
    tables: dict[str, Any] = json.loads(trials.read_text()) if trials.exists() else {}
    for one in RACES:
        if options.only and one.name not in options.only:
            continue
        if one.beside_peers and not PEERS.exists():
            print(f"{one.name}: left out, what it needs is only in {PEERS}; run without --without-peers once")
            continue
        tables[one.name] = run_race(one, options)
        trials.write_text(json.dumps(tables, indent=1))
        print("\n" + report.section(tables[one.name]) + "\n", flush=True)
        if is_full:
            in_order = [tables[other.name] for other in RACES if other.name in tables]
            (HERE / "RESULTS.md").write_text(report.page(in_order, peer_versions()))


def parsed() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(
        description="Measure penstock beside its limits, tf.data, torch, Grain and SPDL."
    )
    arguments.add_argument("--quick", action="store_true", help="three short rounds")
    arguments.add_argument("--rounds", type=int, help="9, or 3 with --quick")
    arguments.add_argument("--only", nargs="+", choices=[one.name for one in RACES], help="these workloads")
    arguments.add_argument("--data-dir", type=Path, help="folder of MNIST's IDX files instead of synthetic images")
    arguments.add_argument("--photos-dir", type=Path, help="folder of JPEG files instead of synthetic photos")
    arguments.add_argument("--without-peers", action="store_true", help="only penstock and the limits")
    options = arguments.parse_args()
    options.rounds = options.rounds or (3 if options.quick else FULL_ROUNDS)
    options.seconds = 0.5 if options.quick else 1.0
    return options


def run_race(one: Race, options: argparse.Namespace) -> dict[str, Any]:
    """Check every contender once, then run the rounds; a contender that fails is reported and left out."""
    began = os.getloadavg()[0]
    table: dict[str, Any] = {"name": one.name, "title": one.title, "contenders": {}}
    runners = [c for c in one.contenders if not (options.without_peers and c.module not in OWN_MODULES)]
    for contender in runners:
        entry = {"name": contender.name, "module": contender.module, "form": str(contender.form), "trials": []}
        table["contenders"][contender.key] = entry
        if one.script is None:
            distribution = DISTRIBUTIONS.get(contender.module, contender.module)
            entry["installed_bytes"] = int(
                output_of(one.interpreter(contender), [str(HERE / "installed_bytes.py"), distribution])
            )
        else:
            attempt(one, contender, entry, verify=True, seconds=options.seconds)
    for number in range(options.rounds):
        turn = number % len(runners)
        for contender in runners[turn:] + runners[:turn]:
            entry = table["contenders"][contender.key]
            if "failure" not in entry and number < (contender.most_rounds or options.rounds):
                attempt(one, contender, entry, verify=False, seconds=options.seconds)
        print(f"{one.name}: round {number + 1} of {options.rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    busy = f"load {began:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    table["circumstances"] = f"{options.rounds} rounds; {report.machine()}; {busy}."
    return table


def attempt(one: Race, contender: Any, entry: dict[str, Any], verify: bool, seconds: float) -> None:
    """Run one trial into `entry`."""
    command = one.command(contender, verify, seconds)
    began = time.perf_counter()
    try:
        line = output_of(one.interpreter(contender), command, one.source(contender))
    except TrialFailed as failure:
        entry["failure"] = str(failure)
        print(f"{one.name}: {contender.name} {contender.form} failed:\n{failure}", file=sys.stderr)
        return
    if verify:
        entry["verified"] = json.loads(line)
        return
    # A whole program is timed from outside, to the moment it reports.
    trial = {"speed": 1 / (time.perf_counter() - began)} if one.script is None else json.loads(line)
    entry["trials"].append(trial)


def output_of(python: Path, command: list[str], source: Path | None = None) -> str:
    """The first line that the process prints, which may import from `source` too; it must end well."""
    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "PENSTOCK_BENCH_FOLDER": str(mnist_arrays.FOLDER.resolve()),
    }
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    # An installed library has its byte code beside it; without, a checkout would be compiled at each start.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        ended = subprocess.run(
            [str(python), *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS_AT_MOST,
        )
    except subprocess.TimeoutExpired:
        raise TrialFailed(f"no result within {TRIAL_SECONDS_AT_MOST} s") from None
    if ended.returncode != 0:
        raise TrialFailed(ended.stderr[-800:].strip() or f"exit status {ended.returncode}")
    return ended.stdout.splitlines()[0]


def own_source() -> Path:
    """The folder that this environment imports penstock from."""
    found = importlib.util.find_spec("penstock")
    if found is None or found.origin is None:
        raise SystemExit("run.py: penstock is not installed in this environment; `make bench` installs it")
    return Path(found.origin).parent.parent


def make_peers_environment() -> None:
    """Create `.venv-peers` unless it was made from the same requirements."""
    made_from = PEERS / "made-from.txt"
    if made_from.exists() and made_from.read_text() == REQUIREMENTS.read_text():
        return
    print(f"making {PEERS} (2.5 GB: tensorflow, torch, grain, spdl and OpenCV; once)", file=sys.stderr)
    if not PEERS.exists():
        venv.create(PEERS, with_pip=True)
    install = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)]
    if subprocess.run(install).returncode != 0:
        raise SystemExit("run.py: the peers could not be installed; see pip's message, or give --without-peers")
    made_from.write_text(REQUIREMENTS.read_text())


def peer_versions() -> list[str]:
    """The pinned requirements as `name==version`."""
    return [line for line in REQUIREMENTS.read_text().splitlines() if "==" in line and not line.startswith("#")]


if __name__ == "__main__":
    main()
