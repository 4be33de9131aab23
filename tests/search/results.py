"""A result of a study as its pipeline writes it: one task of each kind."""

from taskgraft.search.study.result import FinalVerdict, Result, Retrained, RetrainedTask, TaskResult

TASKS = (
    TaskResult("gender", "accuracy", 0.98, 0.97, 240, None, False, 0.0102, -0.004, 0.02501),
    TaskResult("word", "macro_f1", 0.41, 0.42, 150, 12, False, -0.0244, -0.1, 0.01),
    TaskResult("age_group", "accuracy", 0.5, 0.5, 240, None, at_chance=True),
)
RESULT = Result(
    FinalVerdict.NOT_REFUTED,
    0.0102,
    (0.0, 0.03),
    40_000,
    100_000,
    5_000_000,
    verified_for=0.02501,
    scope="the weights in the bundle",
    tasks=TASKS,
    retrained=Retrained(
        2, 0.03, (0.01, 0.08), (0.05, 0.01), (RetrainedTask("gender", "accuracy", 0.98, 0.95, 0.03, (0.0, 0.06)),)
    ),
)
