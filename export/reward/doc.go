// Package reward scores finished trees again by a user's rule: a program that reads a line of JSON for every
// trajectory that ended and answers each with a line of JSON, in the same order.
//
//	→ {"id":"01K0…:7","rollout":"…","tree":"01K0…","task":"household/train/17","leaf":7,
//	   "goal":"…","opening":"…","steps":[{"node":1,"output":"…","action":"…","observation":"…",
//	   "reward":0,"valid":true,"admissible":true,"outcome":""},…],
//	   "return":1,"length":4,"outcome":"success","success":true}
//	← {"id":"01K0…:7","reward":0.5}
//	← {"id":"01K0…:7","rewards":[0,0,0.1,0.4]}
//
// "reward" is what the trajectory earns, paid at its last step; "rewards" is what each
// of its steps earns. The rule runs until its input ends; it must write an answer out at
// once (flush), and what it writes to stderr is log. It is started without a shell.
//
//	import json, sys
//	for line in sys.stdin:
//	    t = json.loads(line)
//	    print(json.dumps({"id": t["id"], "reward": t["return"] - 0.01 * t["length"]}), flush=True)
package reward
