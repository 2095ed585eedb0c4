// Package alfworld plays ALFWorld (Shridhar et al., ICLR 2021) natively: the household
// text world of ALFRED with ALFWorld's own rules and texts, in its own game files, or in
// houses and tasks that are generated from a seed, so that nothing has to be downloaded.
//
// Each part of the world has one place:
//
//	problem.go     what a game is made of: agents, places, receptacles, objects, goal
//	world.go       a problem made ready to play: names, orders, command texts
//	state.go       what changes while playing; a fork is a copy of it
//	rules.go       which actions apply and what they do (alfred.pddl)
//	condition.go   whether a PDDL condition holds
//	goal.go        goals and their sentences (goal_library.py)
//	reach.go       what could ever come to hold
//	phrasing.go    the texts and commands of a game (alfred.twl2)
//	phrase.go      texts with gaps
//	text.go        the lists that texts show
//	expert.go      a planner with full knowledge
//	env.go         the sparkd.Env
//
// Games from files:
//
//	source.go      the games of a folder as an environment
//	folder.go      folders, splits and levels of generalisation
//	scanner.go     the games of one split, and what is left out
//	game.go        game.tw-pddl; initial_state.pddl with traj_data.json
//	initial.go     the problem in PDDL
//	domain.go      whether a game's rules are those of rules.go
//	grammar.go     the syntax of TWL2
//	lisp.go        the syntax of PDDL
//
// Generated games:
//
//	split.go       the built-in environment: train, train4, l0, l1 and l2
//	generate.go    games in a house from a seed
//	house.go       houses from a seed
//	room.go        what rooms are furnished with (data/rooms.txt)
//	affordance.go  what fits where (data/fits.txt), what can be heated, sliced … (constants.py)
//
// The rules, texts, goal templates, affordances and furnishing statistics are taken from alfworld 0.4.2
// (https://github.com/alfworld/alfworld), © 2020 Mohit Shridhar and others, MIT licence (LICENSE.alfworld). The
// order of lists and of commands is that of TextWorld 1.7.0's PddlEnv, which plays these files.
// testdata/golden.jsonl.gz holds answers of the real package, and make test-alfworld asks it for many more; the
// engine gives the same, to the letter.
package alfworld
