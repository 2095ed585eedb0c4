"""Figures of a reproduction from made-up runs whose truth is known."""

import json
import random
import shlex
from dataclasses import replace

import pytest

import page
import reproduce
import results
import rl
import run

SPLITS = ("l0", "l2")
SIZE = reproduce.Size(seeds=3, tokens=1000, tasks=2, eval_every=5, eval_tasks=40, eval_samples=1)
SETTINGS = reproduce.settings(SIZE, reproduce.options([])) | {"arguments": ""}


def made_up(folder, method: str, seed: int, ends: dict[str, float], tokens: int = 100) -> results.Result:
    """A run of ten steps whose success on every split goes from 0.2 to ends[split]."""
    rng, lines = random.Random(f"{method}{seed}"), []
    for step in range(11):
        spent = {"total_generated_tokens": tokens * step, "total_env_steps": 10 * step, "total_seconds": 7.0 * step}
        for split in SPLITS if step % 5 == 0 else ():
            p = 0.2 + (ends[split] - 0.2) * step / 10
            wins = [rng.random() < p for _ in range(40)]
            counts = {f"household/{split}/{i}": [int(w), 1] for i, w in enumerate(wins)}
            lines.append(
                {"step": step, "eval": split, "success": sum(wins) / 40, "tasks": counts, "eval_seconds": 1.0} | spent
            )
        if step < 10:
            spent = {k: v + v // max(step, 1) for k, v in spent.items()}
            lines.append(
                {
                    "step": step,
                    "loss": 0.1,
                    "generated_tokens": tokens,
                    "env_steps": 10,
                    "leaves": 8,
                    "forks": 4,
                    "mixed_trees": 0.5,
                }
                | spent
            )
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    (folder / "state.json").write_text(json.dumps({"done": True, "generated_tokens": 10 * tokens}))
    return results.read(folder, method, seed)


@pytest.fixture
def runs(tmp_path):
    ends = {"spark": {"l0": 0.95, "l2": 0.5}, "grpo": {"l0": 0.3, "l2": 0.5}}
    return [made_up(tmp_path / f"{m}{s}", m, s, ends[m]) for m in ends for s in range(3)]


def test_unfinished_runs_are_none(tmp_path):
    assert results.read(tmp_path, "spark", 0) is None
    (tmp_path / "state.json").write_text('{"done": false}')
    assert results.read(tmp_path, "spark", 0) is None
    made_up(tmp_path / "run", "spark", 0, dict.fromkeys(SPLITS, 0.5))
    assert results.read(tmp_path / "run", "spark", 0, tokens=1000)
    assert results.read(tmp_path / "run", "spark", 0, tokens=1001) is None


@pytest.mark.parametrize(
    "name, text",
    [
        ("state.json", "{"),
        ("state.json", "{}"),
        ("state.json", '{"done": true}'),
        ("metrics.jsonl", '{"loss": 1}\n{}\n'),
    ],
)
def test_damaged_runs_are_named(tmp_path, name, text):
    made_up(tmp_path / "run", "spark", 0, dict.fromkeys(SPLITS, 0.5))
    (tmp_path / "run" / name).write_text(text)
    with pytest.raises(SystemExit, match=f"{tmp_path}/run has no run that can be read.*: mend the file"):
        results.read(tmp_path / "run", "spark", 0)


def test_figures(runs):
    f = page.figures(runs, SETTINGS)
    for m, x in f["methods"].items():
        for split in SPLITS:
            mine = [r for r in runs if r.method == m]
            mean, low, high = x["success"][split]
            assert mean == pytest.approx(sum(r.evaluations[split][-1]["success"] for r in mine) / 3)
            assert low < mean < high and high - low < 0.35
    more, low, high = f["spark_minus"]["grpo"]["l0"]
    assert 0 < low < more < high, "0.95 against 0.3 is seen"
    gained, low, high = f["methods"]["spark"]["gain"]["l0"]
    begun = sum(r.evaluations["l0"][0]["success"] for r in runs if r.method == "spark") / 3
    assert 0 < low < gained < high and gained == pytest.approx(f["methods"]["spark"]["success"]["l0"][0] - begun)
    last = [r for r in runs if r.method == "grpo"]
    assert f["cold_start"]["l0"] == results.success(last, "l0", 0), "one run of each seed, here the last method's"
    assert f["spark_minus"]["grpo"]["l2"][1] < 0 < f["spark_minus"]["grpo"]["l2"][2], "equals are undecided"
    assert f["equal"]["total_generated_tokens"] == 1000
    at = f["methods"]["spark"]["at_equal"]["total_generated_tokens"]["l0"]
    assert at == pytest.approx(f["methods"]["spark"]["success"]["l0"][0])
    assert f["methods"]["spark"]["tokens_per_trajectory"] == 100 / 8


def test_one_seed_has_wilson_intervals(runs):
    one = [r for r in runs if r.seed == 0 and r.method == "spark"]
    mean, low, high = results.success(one, "l0")
    assert (low, high) == results.wilson(round(mean * 40), 40)


def test_curves_between_evaluations(runs):
    points = runs[0].evaluations["l0"]
    halfway = (points[0]["success"] + points[1]["success"]) / 2
    assert runs[0].at("l0", "total_generated_tokens", 250) == pytest.approx(halfway)
    assert results.equal([*runs[1:], runs[0]], "total_env_steps") == 100


@pytest.mark.parametrize(
    "x, says",
    [((0.2, 0.1, 0.3), "holds"), ((-0.2, -0.3, -0.1), "the other is better"), ((0.1, -0.1, 0.3), "undecided")],
)
def test_verdicts(x, says):
    assert says in page.verdict(x)


def test_page(runs, tmp_path):
    f = page.figures(runs, SETTINGS)
    made = tmp_path / "reproduction.md"
    page.write(f, runs, reproduce.ROOT / "docs" / "reproduction.md", made)
    text = made.read_text()
    assert "make reproduce\n" in text and "3 seeds, 1,000 generated tokens a run" in text
    for flags in reproduce.METHODS.values():
        assert f"`{' '.join(flags)}`" in text
    assert " ".join(reproduce.COMMON) in " ".join(text.split())
    assert "undecided: the interval holds 0" in text and "Of 2 comparisons SPARK is better in 1" in text
    assert "| SPARK | " in text and "points" in text and "No run has been recorded" not in text
    assert "<svg" in (tmp_path / "reproduction.svg").read_text()
    page.write(f, runs, made, made)
    assert made.read_text() == text, "a page is its own template"


def test_the_page_of_a_quick_run_judges_nothing(runs, tmp_path):
    f = page.figures(runs, SETTINGS | {"quick": True, "arguments": "--quick --tasks=4 '--rl=--lr=1e-4 '"})
    page.write(f, runs, reproduce.ROOT / "docs" / "reproduction.md", tmp_path / "page.md")
    block = (tmp_path / "page.md").read_text().partition(page.BEGIN)[2].partition(page.END)[0]
    (command,) = (line for line in block.splitlines() if "make reproduce" in line)
    assert shlex.split(shlex.split(command)[2].removeprefix("ARGS=")) == ["--quick", "--tasks=4", "--rl=--lr=1e-4 "]
    assert "nothing about the claims" in block
    for word in ("holds", "does not hold", "undecided", "better"):
        assert word not in block


def finished(folder, method: str, o, **changes) -> None:
    """A run as rl.py leaves it, with 1,000 tokens of ten steps."""
    made_up(folder, method, 0, dict.fromkeys(SPLITS, 0.5))
    options = vars(rl.options(reproduce.command(method, 0, folder, SIZE, o)[2:]))
    state = run.BEGIN | {"step": 10, "done": True, "generated_tokens": 1000, "options": run.settings(options) | changes}
    (folder / "state.json").write_text(json.dumps(state))


def options(out, *more: str):
    return reproduce.options([f"--out={out}", "--methods=random", *more])


@pytest.mark.parametrize(
    "more, size, words",
    [
        ([], {}, None),
        (["--model=bundled/hf", "--parallel=1", "--sparkd=elsewhere", "--rl=--threads=2"], {}, None),
        ([], {"tokens": 2000}, None),
        ([], {"tokens": 901}, None),
        ([], {"tokens": 900}, r"went on beyond 900 tokens: give --tokens above 900, or another --out"),
        (
            ["--split=train"],
            {"tasks": 3},
            "random-0 has a run with another split, tasks: give the same, or another --out",
        ),
        ([], {"eval_tasks": 41}, "another eval_tasks"),
        (["--rl=--lr=1e-4"], {}, "another lr"),
        (["--model=elsewhere"], {}, "another model"),
    ],
)
def test_finished_runs_of_other_settings_are_refused(more, size, words, tmp_path, monkeypatch):
    monkeypatch.chdir(reproduce.ROOT)
    finished(tmp_path / "random-0", "random", options(tmp_path))
    bench = reproduce.Bench(replace(SIZE, seeds=1, **size), options(tmp_path, *more))
    if words is None:
        return bench.check()
    with pytest.raises(SystemExit, match=words):
        bench.check()


def test_a_method_that_has_changed_is_refused(tmp_path):
    finished(tmp_path / "random-0", "random", options(tmp_path), parameter="[('probability', 0.2)]")
    with pytest.raises(SystemExit, match="another parameter"):
        reproduce.Bench(replace(SIZE, seeds=1), options(tmp_path)).check()


def test_runs_that_have_not_begun_pass(tmp_path):
    reproduce.Bench(SIZE, options(tmp_path)).check()


@pytest.mark.parametrize("flag", ["seeds", "tokens", "tasks", "eval-every", "eval-tasks", "eval-samples", "parallel"])
def test_sizes_of_0_are_refused(flag, capsys):
    with pytest.raises(SystemExit, match="2"):
        reproduce.options([f"--{flag}=0"])
    assert f"argument --{flag}: 0 is too small: at least 1" in capsys.readouterr().err
