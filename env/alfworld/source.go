package alfworld

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sparkd"
	"sparkd/internal/suggest"
)

// Options say where the games are.
type Options struct {
	// Data is a folder of games: what alfworld-download made (with train, valid_seen and
	// valid_unseen, in json_2.1.1 or not), or any folder with game files below it.
	Data string
	// Log gets what in the folder is no task, and why. nil drops it.
	Log func(line string)
}

// Source is the games of a folder. Its methods are safe for concurrent use.
type Source struct {
	splits map[string][]game
	info   sparkd.EnvInfo

	mu    sync.Mutex
	ready []loaded // the last used last
}

// loaded is a game made ready to play.
type loaded struct {
	path  string
	world *world
}

// maxLoaded bounds how many games are kept ready, of about 150 kB each.
const maxLoaded = 256

// maxSteps is how many steps ALFWorld's own configuration allows an agent.
const maxSteps = 50

// Open finds the games of a folder. It does not read them: a game that is broken fails the reset of its task.
func Open(ctx context.Context, name string, o Options) (*Source, error) {
	field := "env." + name + ".data"
	const remedy = "give the folder that alfworld-download made ($ALFWORLD_DATA), or any folder with *.tw-pddl " +
		"games below it"
	if o.Data == "" {
		return nil, sparkd.Invalid(field, remedy, "no folder of games is given")
	}
	splits, left, err := scan(ctx, o.Data)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, sparkd.Invalid(field, remedy, "cannot read the games of %s: %v", o.Data, err).Because(err)
	}
	count := 0
	for _, games := range splits {
		count += len(games)
	}
	if count == 0 {
		return nil, left.nothing(field, o.Data, remedy)
	}
	if o.Log != nil {
		for _, line := range left.lines() {
			o.Log(line)
		}
	}
	addLevels(splits)
	s := &Source{splits: splits, info: sparkd.EnvInfo{
		Name: name, Splits: map[string]int{}, MaxSteps: maxSteps, Fork: sparkd.ForkNative, Examples: examples,
		About: fmt.Sprintf("ALFWorld's own games, %d of them, played natively with the rules and texts of their files",
			count),
	}}
	for split, games := range splits {
		s.info.Splits[split] = len(games)
	}
	return s, nil
}

// nothing is the error of a folder without games, whose remedy depends on what there is.
func (l leftOut) nothing(field, folder, remedy string) error {
	if n := len(l[noGame]); n > 0 {
		return sparkd.Invalid(field, "run alfworld-download, which fetches the game files beside them, or make "+
			"them of the trajectories with alfworld-generate; both are part of pip install alfworld",
			"%s holds %d traj_data.json, but no game.tw-pddl and no initial_state.pddl", folder, n)
	}
	return sparkd.Invalid(field, remedy, "%s holds no game that can be played (%d are known to have no solution)",
		folder, len(l[noSolution]))
}

// Info describes the environment.
func (s *Source) Info() sparkd.EnvInfo { return s.info }

// Open returns a fresh copy.
func (s *Source) Open(ctx context.Context) (sparkd.Env, error) { return &Env{open: s.world}, ctx.Err() }

// Close does nothing: games are read whole.
func (s *Source) Close() error { return nil }

// Lookup returns the index of a game by its name, which is its path in the split, or by
// the last part of that. Where there is none it returns the names nearest to it.
func (s *Source) Lookup(split, name string) (index int, others []string, ok bool) {
	games := s.splits[split]
	name = strings.Trim(strings.TrimSuffix(strings.TrimPrefix(name, split+"/"), gameFile), "/")
	if i, found := slices.BinarySearchFunc(games, name,
		func(g game, n string) int { return cmp.Compare(g.name, n) }); found {
		return i, nil, true
	}
	var ends []int
	for i := range games {
		if name != "" && strings.HasSuffix(games[i].name, "/"+name) {
			ends = append(ends, i)
		}
	}
	if len(ends) == 1 {
		return ends[0], nil, true
	}
	names := make([]string, len(games))
	for i := range games {
		names[i] = games[i].name
	}
	return 0, suggest.Names(name, names, maxNear), false
}

// maxNear is how many names are listed when one is not found.
const maxNear = 5

// world returns the game of a task, ready to play.
func (s *Source) world(t sparkd.Task) (*world, error) {
	if err := hasTask(&s.info, t); err != nil {
		return nil, err
	}
	g := s.splits[t.Split][t.Index]
	if w := s.kept(g.path); w != nil {
		return w, nil
	}
	w, err := loadWorld(g.path)
	if err != nil {
		return nil, inGame(g.name, err)
	}
	s.keep(g.path, w)
	return w, nil
}

func loadWorld(path string) (*world, error) {
	p, err := loadGame(path)
	if err != nil {
		return nil, err
	}
	return newWorld(p)
}

// inGame names the game in an error.
func inGame(name string, err error) error {
	var e *sparkd.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Message = "the game " + name + ": " + c.Message
	return &c
}

func (s *Source) kept(path string) *world {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.ready, func(l loaded) bool { return l.path == path })
	if i < 0 {
		return nil
	}
	found := s.ready[i]
	s.ready = append(slices.Delete(s.ready, i, i+1), found)
	return found.world
}

func (s *Source) keep(path string, w *world) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = slices.DeleteFunc(s.ready, func(l loaded) bool { return l.path == path }) // another copy was as fast
	s.ready = append(s.ready, loaded{path, w})
	s.ready = slices.Delete(s.ready, 0, max(0, len(s.ready)-maxLoaded))
}
