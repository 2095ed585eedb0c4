"""Writes a game of each of ALFWorld's six task types, built for the differential test from what the wheel ships:
python alfworld_games.py FOLDER makes FOLDER/train/N/game.tw-pddl."""
import json, os, sys

import record  # of env/alfworld/testdata/real

for i, specification in enumerate(record.specifications(small=True)[:6]):
    game = record.make(*specification)
    domain, grammar = record.TEXTS[game["wording"]]
    folder = os.path.join(sys.argv[1], "train", str(i))
    os.makedirs(folder)
    with open(os.path.join(folder, "game.tw-pddl"), "w") as f:
        json.dump({"pddl_domain": domain, "grammar": grammar.replace("UNKNOWN GOAL", game["sentence"]),
                   "pddl_problem": game["problem"], "solvable": True, "walkthrough": []}, f)
    with open(os.path.join(folder, "traj_data.json"), "w") as f:
        json.dump(game["trajectory"], f)
