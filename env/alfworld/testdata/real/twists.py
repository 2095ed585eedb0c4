"""What game files can contain beyond what ALFWorld's simulator usually writes. A twist changes a scene in place."""


def held(s):
    "the agent starts with something in its hands"
    o = s.rng.choice([f[1] for f in s.of("pickupable")])
    s.drop("inReceptacle", o, None)
    s.facts += [("holds", "agent1", o), ("holdsAny", "agent1")]


def idle(s):
    "two things in hand, and hands that count as empty"
    for f in s.rng.sample(s.of("pickupable"), 2):
        s.facts.append(("holds", "agent1", f[1]))


def made(s):
    "things that are clean, hot, cool, sliced, toggled and on, receptacles that are open, from the start"
    for o in s.objects:
        for fact in ("isClean", "isHot", "isCool", "isSliced", "isToggled", "isOn"):
            s.facts += [(fact, o)] * (s.rng.random() < 0.3)
    s.facts += [("opened", f[1]) for f in s.of("openable") if s.rng.random() < 0.5]


def nested(s):
    "things in bowls, bowls in pots, a bowl in itself"
    boxes = [f[1] for f in s.of("isReceptacleObject")]
    where = dict(f[1:] for f in s.of("inReceptacle"))
    for o in s.objects:
        if boxes and s.rng.random() < 0.4:
            box = s.rng.choice(boxes)
            s.facts.append(("inReceptacleObject", o, box))
            if box in where and o in where and s.rng.random() < 0.8:
                s.drop("inReceptacle", o, None)
                s.facts.append(("inReceptacle", o, where[box]))
    if boxes:
        s.facts.append(("inReceptacleObject", boxes[0], boxes[0]))


def twice(s):
    "things that lie in two receptacles at once, and are at two places"
    for f in s.of("inReceptacle"):
        if s.rng.random() < 0.4:
            r = s.rng.choice(s.receptacles)
            if r[0] != f[2]:
                s.facts += [("inReceptacle", f[1], r[0]), ("objectAtLocation", f[1], r[2])]


def nowhere(s):
    "things in no receptacle, things at no place, things of no type"
    for o in s.objects:
        if s.vital(o):
            continue
        if s.rng.random() < 0.3:
            s.drop("inReceptacle", o, None)
        if s.rng.random() < 0.3:
            s.drop("objectAtLocation", o, None)
        if s.rng.random() < 0.1:
            s.drop("objectType", o, None)


def poseless(s):
    "receptacles out of reach, of no type, or that nothing says anything about"
    needed = {f[2] for f in s.of("inReceptacle") if s.vital(f[1])}
    others = [r for r, kind, _ in s.receptacles if r not in needed and kind not in s.kinds_needed]
    for r in others[::2]:
        s.drop("receptacleAtLocation", r, None)
    for r in others[1::3]:
        s.drop("receptacleType", r, None)
    s.receptacles.append(("Shelf|+11.11|+00.00|+00.00", "Shelf", s.locations[0]))


def far(s):
    "no target receptacle can be reached: the real package cannot load this, sparkd refuses it"
    for r, kind, _ in s.receptacles:
        if kind in s.kinds_needed:
            s.drop("receptacleAtLocation", r, None)


def close(s):
    "the agent starts at a receptacle"
    s.start = s.rng.choice(s.locations)


def crowd(s):
    "three agents, one of them with full hands; their commands must name them"
    s.agents = ["agent1", "zoe", "alfred"]
    s.facts.append(("atLocation", "zoe", s.rng.choice(s.locations)))
    s.facts.append(("atLocation", "alfred", s.rng.choice(s.locations)))
    o = s.rng.choice([f[1] for f in s.of("pickupable") if not s.vital(f[1])])
    s.drop("inReceptacle", o, None)
    s.facts += [("holds", "zoe", o), ("holdsAny", "zoe")]


def lost(s):
    "an agent that is nowhere, with something in its hands"
    s.agents = ["agent1", "ghost"]
    o = s.rng.choice([f[1] for f in s.of("pickupable")])
    s.facts += [("holds", "ghost", o), ("holdsAny", "ghost")]


def knives(s):
    "many knives, knives that can be sliced, and food beside them"
    for _ in range(3):
        o, r = s.place("Knife" if "Knife" in s.things else "ButterKnife")
        s.facts.append(("sliceable", o))
        s.facts.append(("objectAtLocation", o, r[2]))
    s.facts += [("sliceable", f[1]) for f in s.of("pickupable") if s.rng.random() < 0.5]


def distances(s):
    "distances between places, some of which no other fact names; facts that nothing reads"
    far = [f"loc|{i}|{i}|0|0" for i in range(4)]
    s.locations = s.locations + far
    s.distances = [(a, b, s.rng.randint(1, 30)) for a in s.locations[:5] + far for b in s.locations[:3] if a != b]
    for o in s.objects[::2]:
        s.facts += [("moveable", o), ("wasInReceptacle", o, s.receptacles[0][0])]
    s.facts += [("full", s.receptacles[0][0]), ("checked", s.receptacles[-1][0]), ("examined", s.locations[0])]


def names(s):
    "ids that are no ALFRED ids: without a place, with basin in the middle"
    for name in ("Apple", "Book", "Basin"):
        s.objects.append(name)
        s.facts += [("inReceptacle", name, s.receptacles[0][0]), ("pickupable", name), ("objectAtLocation", name, s.receptacles[0][2])]
        s.facts.append(("objectType", name, "AppleType"))
    for name in ("Cloth|basin|+01.00", "Cloth|+01.00|+02.00", "Sink|+07.00|+00.00|+00.00"):
        s.objects.append(name)
        s.facts += [("inReceptacle", name, s.receptacles[-1][0]), ("pickupable", name)]


ALL = [held, idle, made, nested, twice, nowhere, poseless, close, far, lost, knives, distances, names]
