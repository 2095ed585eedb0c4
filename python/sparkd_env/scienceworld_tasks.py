"""The tasks of ScienceWorld by split, from scienceworld_tasks.json.

A task is a type ("boil") and a variation (0 …). The splits are train, dev and test with all
types; TYPE.train, TYPE.dev and TYPE.test with one; and the levels of RLVMR and SPARK, l0, l1
and l2, with what each trains on: l0.train, l1.train, l2.train.
"""

import json
from importlib import resources

_TABLE = json.loads(resources.files(__package__).joinpath("scienceworld_tasks.json").read_text())
PARTS = ("train", "dev", "test")
TYPES = tuple(sorted(_TABLE["tasks"]))


def _split(types, part):
    """The tasks of a split in order: the first variation of every type, alphabetically, then
    the second of every type that has one, and so on; neighbours are a mixture of types."""
    tasks = [
        (n, name, first + n)
        for name in types
        for first, end in [_TABLE["tasks"][name][part]]
        for n in range(end - first)
    ]
    return [(name, variation) for _, name, variation in sorted(tasks)]


def _splits():
    splits = {part: _split(TYPES, part) for part in PARTS}
    for level, of in _TABLE["levels"].items():
        splits[level] = _split([name for group in of["groups"] for name in _TABLE["groups"][group]], of["variations"])
    for name in TYPES:
        splits.update({f"{name}.{part}": _split([name], part) for part in PARTS})
    return splits


SPLITS = _splits()  # split → [(type, variation)]; the place in the list is the task's index
