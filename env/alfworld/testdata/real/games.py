"""Games for the differential test, built from what the alfworld wheel ships: floor plans (gen/layouts),
what fits where (gen/constants.py), goals (gen/goal_library.py), rules and texts (data/alfred.*).

The facts are stated as ALFWorld's own writer states them (scripts/augment_pddl_states.py): every thing of a
scene, scenery without a type, bowls in which things lie. Twists add what its files can contain beyond that.
"""
import json, os, random, re

import alfworld
import alfworld.gen.constants as C
import alfworld.gen.goal_library as library
from alfworld.info import ALFRED_PDDL_PATH, ALFRED_TWL2_PATH

LAYOUTS = os.path.join(os.path.dirname(alfworld.__file__), "gen", "layouts")
STATIC = C.RECEPTACLES - C.MOVABLE_RECEPTACLES_SET
SIX = ["pick_and_place_simple", "look_at_obj_in_light", "pick_clean_then_place_in_recep",
       "pick_heat_then_place_in_recep", "pick_cool_then_place_in_recep", "pick_two_obj_and_place"]
SIGNS = {"-": "_minus_", "|": "_bar_", "+": "_plus_", ".": "_dot_", ",": "_comma_"}


def mangle(text):
    return re.sub(r"[-|+.,]", lambda m: SIGNS[m[0]], text)


def wordings():
    """The domain and grammar texts of the years: of alfworld 0.4.2, of the games 2.1.1 (before "move" and "help"),
    of those patched by scripts/patch_tw-pddl.py, of several agents with names, and of nobody."""
    domain, grammar = open(ALFRED_PDDL_PATH).read(), open(ALFRED_TWL2_PATH).read()
    old_domain = re.sub(r"\(:action help.*?\n\)\n", "", domain, flags=re.S)
    help_text = re.search(r'"rhs": "(\\nAvailable commands.*?)"', grammar)[1].replace("\\n", "\n")
    old = re.sub(r"action help \{.*", "", grammar, flags=re.S)
    old = old.replace("You arrive at {r.name}.", "You arrive at {lend.name}.")
    old = old.replace("move {o} to {r}", "put {o} in/on {r}")
    old = old.replace("You move the {o.name} to the {r.name}.", "You put the {o.name} in/on the {r.name}.")
    patched = re.sub(r"action help \{.*", "", grammar, flags=re.S) + 'action help {\n    template :: "help";\n    feedback :: "%s";\n}\n' % help_text
    named = re.sub(r'template :: "', 'template :: "{a.name}: ', old)
    free = grammar.replace("take {o} from {r}", "grab {o} out of {r}").replace("go to [{r.name | receptacleatlocation(r:receptacle, lend:location)}]", "walk to {r}")
    free = free.replace('"rhs": ", and "', '"rhs": " and "').replace("You see", "You notice").replace("This {o.name} is on.", "The {o.name} glows.")
    free = free.replace("{o.indefinite} {o.name}", "one {o.name}").replace("You open the {r.name}. ", "Creak! ").replace("You slice", "{a.name}slices {co.name}: you slice")
    return {"0.4.2": (domain, grammar), "2.1.1": (old_domain, old), "2.1.2": (domain, patched),
            "agents": (old_domain, named), "free": (domain, free)}


class Scene:
    """One initial state in the making: facts are (predicate, argument…) with ALFRED's ids."""

    def __init__(self, plan, task, seed):
        self.rng = random.Random(f"{plan}/{task}/{seed}")
        self.facts, self.objects, self.agents, self.distances = [], [], ["agent1"], []
        self.needed, self.kinds_needed = set(), set()
        self.receptacles, types = receptacles(plan)
        self.locations = sorted({at for _, _, at in self.receptacles})
        self.start = "loc|%d|%d|0|30" % (self.rng.randint(-9, 9), 90 + seed)
        self.kinds = sorted({kind for _, kind, _ in self.receptacles})
        self.things = sorted(t for t in types if t not in STATIC and any(t in C.VAL_RECEPTACLE_OBJECTS[k] for k in self.kinds))
        self.scenery = sorted(t for t in types if t not in STATIC and t not in self.things) + ["Window", "LightSwitch", "Television"]
        for r, kind, at in self.receptacles:
            self.facts += [("receptacleType", r, kind + "Type"), ("receptacleAtLocation", r, at)]
            self.facts += [("openable", r)] * (kind in C.OPENABLE_CLASS_SET)
        for kind in self.kinds:
            self.facts += [("canContain", kind + "Type", t + "Type") for t in self.things if t in C.VAL_RECEPTACLE_OBJECTS[kind]]

    def new_id(self, kind):
        r = self.rng
        return "%s|%+06.2f|%+06.2f|%+06.2f" % (kind, r.uniform(-9, 9), r.uniform(0, 2), r.uniform(-9, 9))

    def place(self, kind, among=None):
        """Puts a thing on a receptacle that can hold it; sometimes its own pose is another than the receptacle's."""
        where = [r for r in self.receptacles if kind in C.VAL_RECEPTACLE_OBJECTS[r[1]] and (not among or r[1] in among)]
        if kind.endswith("Lamp"):
            where = [r for r in self.receptacles if r[1] in ("Desk", "SideTable", "Dresser", "Shelf", "DiningTable", "Bed", "Sofa")]
        r = self.rng.choice(where or self.receptacles)
        o = self.new_id(kind)
        self.objects.append(o)
        self.facts += [("objectType", o, kind + "Type"), ("inReceptacle", o, r[0])]
        self.facts.append(("objectAtLocation", o, r[2] if self.rng.random() < 0.7 else self.rng.choice(self.locations)))
        self.describe(o, kind)
        return o, r

    def describe(self, o, kind):
        toggled = kind in C.VAL_ACTION_OBJECTS["Toggleable"]
        self.facts.append(("toggleable" if toggled else "pickupable", o))
        self.facts += [("isReceptacleObject", o)] * (kind in C.MOVABLE_RECEPTACLES_SET)
        for ability in ("Cleanable", "Heatable", "Coolable", "Sliceable"):
            self.facts += [(ability.lower(), o)] * (kind in C.VAL_ACTION_OBJECTS[ability])

    def furnish(self, most):
        for kind in self.things:
            for _ in range(self.rng.choice([0, 1, 1, 2, most])):
                self.place(kind)
        for kind in self.scenery:
            o = self.new_id(kind)
            self.objects.append(o)
            self.facts += [("objectType", o, kind + "Type")] * (kind in C.OBJECTS)
            self.facts.append(("objectAtLocation", o, self.rng.choice(self.locations)))

    def drop(self, *pattern):
        """Takes back facts; None matches anything."""
        keep = lambda f: len(f) != len(pattern) or any(p not in (None, x) for p, x in zip(pattern, f))
        self.facts = [f for f in self.facts if keep(f)]

    def vital(self, o):
        """Whether the goal may need this thing."""
        return o.split("|")[0] in self.needed

    def of(self, predicate):
        return [f for f in self.facts if f[0] == predicate]

    def pddl(self, name, goal):
        named = {x for f in self.facts for x in f[1:]}
        types = sorted(t for t in C.OBJECTS_SET - STATIC)
        lines = ["", f"(define (problem plan_{name})", "(:domain alfred)", "(:objects"]
        lines += [f"{a} - agent" for a in self.agents] + [f"        {t} - object" for t in types if t not in self.objects]
        lines += [f"        {t}Type - otype" for t in sorted(set(types) | {x[:-4] for x in named if x.endswith("Type")} - STATIC)]
        lines += [f"        {t}Type - rtype" for t in sorted(STATIC)]
        lines += [f"        {mangle(o)} - object" for o in sorted(self.objects)]
        lines += [f"        {mangle(r)} - receptacle" for r in sorted(r for r, _, _ in self.receptacles)]
        lines += [f"        {mangle(at)} - location" for at in sorted(set(self.locations) | {self.start} | {x for x in named if x.startswith("loc|")})]
        lines += [")", "(:init"] + ["        (%s)" % mangle(" ".join(f)) for f in self.facts] + self.extra() + [")", goal, ")"]
        return "\n".join(lines)

    def extra(self):
        return ["        (= (distance %s %s) %d)" % (mangle(a), mangle(b), n) for a, b, n in self.distances]


def receptacles(plan):
    """The receptacles of a floor plan with their places, and the types of things in it."""
    poses = json.load(open(f"{LAYOUTS}/FloorPlan{plan}-openable.json"))
    types = set(json.load(open(f"{LAYOUTS}/FloorPlan{plan}-objects.json")))
    found = []
    for key, (x, z, turn, tilt) in poses.items():
        kind = key.split("|")[0]
        if kind in ("Sink", "Bathtub"):
            kind += "Basin"
            key = key if key.endswith("Basin") else f"{key}|{kind}"
        if kind in STATIC:
            found.append((key, kind, f"loc|{round(x * 4)}|{round(z * 4)}|{turn // 90}|{tilt}"))
    for i, kind in enumerate(sorted((types & STATIC) - {k for _, k, _ in found})):  # those whose poses are not listed
        for j in range(4 if kind == "StoveBurner" else 1):
            key = f"{kind}|+0{i % 10}.{j}0|+00.90|-{i // 10:02d}.{j}5"
            found.append((key if not kind.endswith("Basin") else f"{kind[:-5]}|{key.split('|', 1)[1]}|{kind}", kind, f"loc|{40 + i}|{j // 2}|0|30"))
    return found, types


def goal_of(task, obj="", recep="", lamp="", movable=""):
    text = library.gdict[task]["pddl"].replace("#", "-").format(obj=obj, recep=recep, toggle=lamp, mrecep=movable)
    return text.rstrip()[:-1]  # the library closes the problem, too


def draw(scene, task):
    """Draws target object and receptacle of a task and sees to it that they are there."""
    rng, base = scene.rng, task.replace("_slice", "")
    if base == "look_at_obj_in_light":
        lamp = rng.choice(["DeskLamp", "FloorLamp"])
        scene.place(lamp)
        obj = rng.choice(scene.things)
        scene.place(obj)
        return dict(obj=obj, lamp=lamp)
    need = next((n for w, n in (("clean", "Cleanable"), ("heat", "Heatable"), ("cool", "Coolable")) if w in base), None)
    avoid = {"Cleanable": "SinkBasin", "Heatable": "Microwave", "Coolable": "Fridge"}.get(need)
    fits = [(t, k) for t in scene.things for k in scene.kinds if t in C.VAL_RECEPTACLE_OBJECTS[k] and k != avoid
            and (not need or t in C.VAL_ACTION_OBJECTS[need]) and ("_slice" not in task or t in C.VAL_ACTION_OBJECTS["Sliceable"])]
    if "movable" in task:
        fits = [(t, k) for t, k in fits if any(m in scene.things and m in C.VAL_RECEPTACLE_OBJECTS[k] for m in ("Bowl", "Plate", "Cup", "Pan", "Pot", "Box"))]
    obj, recep = rng.choice(fits)
    others = [k for k in scene.kinds if k != recep] or scene.kinds
    for _ in range(3 if "two" in task or "three" in task else 1):
        o, r = scene.place(obj, others)
    if "_slice" in task:
        scene.place("Knife" if "Knife" in scene.things else "ButterKnife", others)
    movable = ""
    if "movable" in task:
        movable = rng.choice([m for m in ("Bowl", "Plate", "Cup", "Pan", "Pot", "Box") if m in scene.things and m in C.VAL_RECEPTACLE_OBJECTS[recep]])
        box, r = scene.place(movable, others)
        scene.drop("inReceptacle", o, None)
        scene.facts += [("inReceptacle", o, r[0]), ("inReceptacleObject", o, box)]
    return dict(obj=obj, recep=recep, movable=movable)
