"""Plays games on the real alfworld 0.4.2 and records what it answers; differential_test.go plays the same on sparkd.

usage: python record.py OUT_FOLDER [--household GAMES.jsonl] [--walks N] [--steps N] [--small] [--seed N] [--processes N]

OUT_FOLDER gets one JSONL file for each process: a game a line. A walk is a list of steps
[action, text, score, done, admissible]; the first has the action null, and admissible is null where it is that of the
step before. --small records the subset that is kept in testdata/golden.jsonl.gz.
"""
import argparse, json, multiprocessing, os, random, select, signal, sys, tempfile, time

import games, twists
from games import SIX

PLANS = [1, 5, 11, 17, 22, 28, 201, 207, 214, 221, 228, 301, 306, 313, 320, 329, 402, 409, 416, 427]
LONGER = ["pick_and_place_with_movable_recep", "pick_heat_and_place_with_movable_recep", "pick_and_place_simple_slice",
          "pick_heat_then_place_in_recep_slice", "pick_two_obj_and_place_slice", "place_all_obj_type_into_recep",
          "pick_three_obj_and_place"]
SUITS = {"heat": "kitchen", "cool": "kitchen", "slice": "kitchen", "movable": "kitchen", "clean": "wet", "light": "living"}


def suits(task, plan):
    room = next((r for word, r in SUITS.items() if word in task), None)
    return {None: True, "kitchen": plan < 100, "wet": plan < 100 or plan > 400, "living": 200 < plan < 400}[room]


def specifications(small):
    """(name, floor plan, task, seed, twists, wording) of every game but the household's."""
    chosen, n = [], 0
    for task in SIX:
        plans = [p for p in PLANS if suits(task, p)]
        for k in range(1 if small else 5):
            plan = plans[(n * 7 + k * 3) % len(plans)]
            wording = ["0.4.2", "2.1.1", "2.1.2", "0.4.2", "2.1.1"][(k + n % 2) % 5]
            chosen.append((plan, task, n, [], wording))
            n += 1
    for k, twist in enumerate(twists.ALL):
        old = "2.1.1" if k % 2 else "2.1.2"
        for wording in [old if k % 3 else "0.4.2"] if small else ["0.4.2", old]:
            plan = PLANS[n % len(PLANS)]
            task = next(t for t in SIX[n % 6:] + SIX if suits(t, plan))
            chosen.append((plan, task, n, [twist], wording))
            n += 1
    for task in LONGER[:4] if small else LONGER:
        plan = [p for p in PLANS if suits(task, p)][n % 6]
        chosen.append((plan, task, n, [twists.made] if "heat_and" in task else [], "0.4.2"))
        n += 1
    chosen += [(11, SIX[3], n, [twists.crowd], "agents"), (301, SIX[1], n + 1, [twists.crowd, twists.made], "agents"),
               (17, SIX[4], n + 2, [twists.made, twists.nested], "free"), (214, SIX[5], n + 3, [twists.close], "free")]
    if not small:  # pairs of twists
        for k in range(8):
            a, b = twists.ALL[k], twists.ALL[(k * 5 + 3) % len(twists.ALL)]
            if a is not b and twists.far not in (a, b):
                chosen.append((PLANS[(n + k) % 6], SIX[(k % 2) * 2 + 2], n + 4 + k, [a, b], "0.4.2"))
    return chosen


def make(plan, task, seed, changes, wording):
    scene = games.Scene(plan, task, seed)
    scene.furnish(2)
    params = games.draw(scene, task)
    scene.needed = {params["obj"], params.get("lamp"), params.get("movable"), "Knife", "ButterKnife"}
    scene.kinds_needed = {params.get("recep")} if twists.far in changes else {params.get("recep"), "SinkBasin", "Microwave", "Fridge"}
    for twist in changes:
        twist(scene)
    if not any(f[0] == "atLocation" and f[1] == "agent1" for f in scene.facts):
        scene.facts.append(("atLocation", "agent1", scene.start))
    name = f"{task}-{params['obj']}-{plan}/" + "-".join([wording] + [t.__name__ for t in changes] + [str(seed)])
    sentence = scene.rng.choice(games.library.gdict[task]["templates"]).format(
        obj=params["obj"].lower(), recep=params.get("recep", "").lower(), toggle=params.get("lamp", "").lower(), mrecep=params.get("movable", "").lower())
    trajectory = {"task_type": task.replace("_slice", ""), "turk_annotations": {"anns": []}, "scene": {"floor_plan": f"FloorPlan{plan}"},
                  "pddl_params": {"object_target": params["obj"], "parent_target": params.get("recep", ""), "toggle_target": params.get("lamp", ""),
                                  "mrecep_target": params.get("movable", ""), "object_sliced": "_slice" in task}}
    return {"name": name, "wording": wording, "sentence": sentence, "problem": scene.pddl(str(seed), games.goal_of(task, **params)),
            "trajectory": trajectory, "plan": plan, "task": task}


ODD = ["", " ", "look around", "LOOK", "Look", "go", "go to", "take", "put", "help me", "open", "inventory 1", "examine", "xyzzy", "look\nlook",
       "go to  %(r)s", "go to the %(r)s", "Go to %(r)s", "put %(o)s in/on %(r)s", "move %(o)s to %(r)s", "take %(o)s from %(r)s", "open %(r)s",
       "close %(r)s", "examine %(o)s", "examine %(r)s", "use %(o)s", "slice %(o)s with knife 1", "heat %(o)s with %(r)s", "cool %(o)s with %(r)s",
       "clean %(o)s with %(r)s", "go to %(o)s", "take %(r)s from %(o)s", "eat %(o)s", "go to loc 1", "%(r)s", "\u00e9 %(o)s", "look."]


class Player:
    """One game on the real package."""

    def __init__(self, game):
        import memo  # noqa: F401
        import textworld
        from alfworld.agents.environment.alfred_tw_env import AlfredDemangler, AlfredExpert, AlfredExpertType
        from textworld.envs import PddlEnv

        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "game.tw-pddl")
        domain, grammar = TEXTS[game["wording"]]
        json.dump({"pddl_domain": domain, "grammar": grammar.replace("UNKNOWN GOAL", game["sentence"]), "pddl_problem": game["problem"],
                   "solvable": None, "walkthrough": None}, open(self.path, "w"))
        json.dump(game.get("trajectory"), open(os.path.join(self.folder.name, "traj_data.json"), "w"))
        infos = lambda **more: textworld.EnvInfos(won=True, admissible_commands=True, **more)
        self.env = AlfredDemangler(PddlEnv(infos()))
        self.relaxed = True
        try:
            self.env.load(self.path)
        except KeyError as e:
            if e.args != ("val1",):
                raise
            self.relaxed = False  # the translator found no relaxed solution and made another game, which cannot be read
        self.expert = lambda: AlfredExpert(AlfredDemangler(PddlEnv(infos(facts=True))), expert_type=AlfredExpertType.HANDCODED)
        self.base = self.env.unwrapped

    def walk(self, choose, most):
        """Resets and plays what choose(state, n) says until that is None."""
        state = self.env.reset()
        before = list(state["admissible_commands"])
        steps = [[None, state.feedback, int(state["won"]), bool(state["won"]), before]]
        for n in range(most):
            action = choose(state, n)
            if action is None:
                break
            state, score, done = self.env.step(action)
            now = list(state["admissible_commands"])
            steps.append([action, state.feedback, score, bool(done), None if now == before else now])
            before = now
        return steps

    def random_walk(self, seed, most):
        rng = random.Random(seed)
        names = [i.name for i in self.base._entity_infos.values()]
        receptacles = [i.name for i in self.base._entity_infos.values() if i.type == "receptacle"]

        def choose(state, _):
            admissible = state["admissible_commands"]
            if rng.random() < 1 / 3:
                for _ in range(20):
                    text = rng.choice(ODD) % {"r": rng.choice(receptacles), "o": rng.choice(names)}
                    if text.strip() not in admissible:
                        return text
            by_verb = {}  # a verb first, so that going about does not crowd out the rest
            for command in admissible:
                by_verb.setdefault(" ".join(command.split()[:3 if ":" in command else 1]), []).append(command)
            command = rng.choice(by_verb[rng.choice(sorted(by_verb))])
            return rng.choice(["%s", "%s", "%s", "%s", " %s\n", "\u00a0%s\t"]) % command

        return self.walk(choose, most)

    def plan(self):
        """The planner's solution, in a process of its own: it has no deadline."""
        self.env.reset()
        if TEXTS_NAMED in self.base._logic.actions["look"].template:
            return None  # the package cannot write its plans in a grammar that names agents
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(theirs, json.dumps(self.base._pddl_state.replan(self.base._entity_infos)).encode())
            os._exit(0)
        os.close(theirs)
        ready, _, _ = select.select([ours], [], [], PLAN_SECONDS)
        plan = json.loads(os.read(ours, 65536) or b"null") if ready else None
        os.close(ours)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return plan

    def handcoded(self):
        """The commands of alfworld's handcoded expert."""
        random.seed(0)
        env, taken = self.expert(), []
        try:
            env.load(self.path)
            state = env.reset()
            for _ in range(80):
                taken.append(state["extra.expert_plan"][0])
                state, _, done = env.step(taken[-1])
                if done:
                    break
        except Exception as e:  # it gives up on games that it was not made for
            print("handcoded expert:", type(e).__name__, e, file=sys.stderr)
        return taken


TEXTS_NAMED = "{a.name}"
PLAN_SECONDS = 10
TEXTS = games.wordings()


def follow(commands):
    return lambda state, n: commands[n] if n < len(commands) else ["look", "inventory", None][n - len(commands)]


def play(job):
    index, game, options = job
    started = time.time()
    player = Player(game)
    record = {k: game[k] for k in ("name", "wording", "sentence", "problem", "trajectory") if k in game}
    record["relaxed"], record["walks"] = player.relaxed, []
    if record["relaxed"]:
        for k, commands in enumerate(game.get("tours", [])):
            record["walks"].append({"kind": "tour", "steps": player.walk(follow(commands), 400)})
        plan = player.plan() if options.plans else None
        if plan:
            record["walks"].append({"kind": "planner", "steps": player.walk(follow(plan), 100)})
        if options.plans and game["wording"] == "0.4.2" and game.get("task") in SIX:
            record["walks"].append({"kind": "handcoded", "steps": player.walk(follow(player.handcoded()), 100)})
        for k in range(options.walks):
            seed = f"{options.seed}/{game['name']}/{k}"
            record["walks"].append({"kind": "random", "seed": seed, "steps": player.random_walk(seed, options.steps)})
    print("%3d %s: %d walks, %d steps, %.0f s" % (index, game["name"], len(record["walks"]), sum(len(w["steps"]) for w in record["walks"]),
                                                 time.time() - started), file=sys.stderr, flush=True)
    return record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--household")
    parser.add_argument("--walks", type=int, default=6)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--plans", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    print("seed", options.seed, file=sys.stderr)
    chosen = [make(*s) for s in specifications(options.small)]
    if options.household:
        chosen += [dict(json.loads(line), wording="0.4.2") for line in open(options.household)]
    jobs = [(i, g, options) for i, g in enumerate(chosen)]
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "record.jsonl"), "w") as out:
        out.write(json.dumps({"texts": TEXTS, "seed": options.seed}) + "\n")
        with multiprocessing.get_context("fork").Pool(options.processes, maxtasksperchild=1) as pool:
            for record in pool.imap(play, jobs):
                out.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
