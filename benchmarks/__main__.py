"""``make bench``: the whole search against what one would write today, and its parts, in one run on this machine.

What every figure means is told in docs/benchmarks.md. `benchmarks.synthesis`, `benchmarks.certainty` and
`benchmarks.stopping` make the tables of docs/synthesis.md, docs/statistics.md and docs/stopping.md.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.comparison import KNOWN, OURS, PLAIN, REFERENCE, StudyRows, compare, cpu_seconds_ratios
from benchmarks.growth import KINDS, enumeration, synthesis_growth
from benchmarks.loop import loop_ratio, matrix_peak_share, study_data, worker_memory
from benchmarks.studies import STUDIES, STUDIES_BY_DEFAULT, load_study
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.threads import use_one_thread

LOOP, SYNTHESIS = "loop", "synthesis"
MADE_BY_DEFAULT = (*OURS, PLAIN, LOOP, SYNTHESIS)
PARTS = (REFERENCE, *OURS, KNOWN, PLAIN, LOOP, SYNTHESIS)


def main() -> None:
    options = _options()
    parts = options.only or (PARTS if options.full else MADE_BY_DEFAULT)
    started = time.monotonic()
    found: dict[str, Any] = {}
    for figures in _figures(options, parts):  # shown as they come: a part that fails costs none of those before it
        _show(figures)
        found |= figures
    found["wall_seconds"] = round(time.monotonic() - started)
    _show({"wall_seconds": found["wall_seconds"]})
    if options.json:
        print(json.dumps(found))


def _figures(options: argparse.Namespace, parts: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the figures of each part."""
    if {REFERENCE, *OURS, KNOWN, PLAIN} & set(parts):
        studies = _studies(options, parts)
        yield {
            **cpu_seconds_ratios(studies.values()),
            "studies": {name: rows.to_json() for name, rows in studies.items()},
        }
    else:
        yield cpu_seconds_ratios([])
    if LOOP in parts:
        yield _loop()
    if SYNTHESIS in parts:
        yield _synthesis(options.largest, options.patience)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument(
        "--study",
        action="append",
        type=_study,
        help=f"this study only: {', '.join(STUDIES)} or a file; may be repeated ({', '.join(STUDIES_BY_DEFAULT)})",
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="this part only; may be repeated")
    parser.add_argument("--full", action="store_true", help="all models of the plain program, and the references")
    parser.add_argument("--sample", type=_sample, default=8, help="models of the plain program's sample (default 8)")
    parser.add_argument("--epochs", type=float, default=1.0, help="times the epochs of the studies (default 1)")
    parser.add_argument("--repeats", type=int, default=3, help="seeds of the reference (default 3)")
    parser.add_argument("--largest", type=int, default=4096, help="largest set of tasks to synthesize (default 4096)")
    parser.add_argument(
        "--patience", type=float, default=20.0, help="CPU seconds after which trees are not counted on (default 20)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("taskgraft-bench"), help="where studies and references are kept"
    )
    return parser.parse_args()


def _study(name: str) -> Path:
    """Return the file of a study."""
    path = STUDIES.get(name, Path(name))
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"it is {', '.join(STUDIES)} or a file; got {name!r}")
    return path


def _sample(text: str) -> int:
    """Return the size of a sample: two baselines, and two pairs at least, or nothing is known of how they differ."""
    if not text.isdigit() or int(text) < 4:
        raise argparse.ArgumentTypeError(f"a sample has 4 models or more; got {text!r}")
    return int(text)


def _studies(options: argparse.Namespace, parts: Collection[str]) -> dict[str, StudyRows]:
    """Return each requested study whose recordings are there."""
    out, found = options.out.absolute(), {}
    for path in options.study or [STUDIES[name] for name in STUDIES_BY_DEFAULT]:
        name = next((known for known, place in STUDIES.items() if place == path), path.stem)
        try:
            spec = load_study(path, out, options.epochs)
        except InvalidInput as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        print(f"{name}: {', '.join(spec.task_names)}; {spec.training.epochs} epochs", file=sys.stderr, flush=True)
        found[name] = compare(spec, out / name, options.repeats, parts, None if options.full else options.sample)
    return found


def _loop() -> dict[str, Any]:
    use_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        data = study_data(Path(folder))
        found: dict[str, Any] = {"loop_over_bare_loop": loop_ratio(data), "matrix_peak_share": matrix_peak_share(data)}
    small, large = worker_memory(1_000), worker_memory(100_000)
    return {**found, "worker_bytes_1000_clips": small, "worker_bytes_100000_clips": large}


def _synthesis(largest: int, patience: float) -> dict[str, Any]:
    growths = {kind: synthesis_growth(kind, largest=largest) for kind in KINDS}
    return {
        "synthesis_seconds": {kind: growth.seconds for kind, growth in growths.items()},
        "synthesis_times_the_half": {kind: growth.times_the_half for kind, growth in growths.items()},
        "enumeration": {one.tasks: {"trees": one.trees, "seconds": one.seconds} for one in enumeration(patience)},
    }


def _show(found: Mapping[str, Any], indent: int = 0) -> None:
    """Print names and figures, one per line."""
    for name, value in found.items():
        if isinstance(value, Mapping):
            print(f"{'  ' * indent}{name}")
            _show(value, indent + 1)
        else:
            print(f"{'  ' * indent}{name}: {f'{value:.4g}' if isinstance(value, float) else value}", flush=True)


if __name__ == "__main__":
    main()
