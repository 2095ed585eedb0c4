package alfworld

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sparkd"
)

// Why something in a folder is no task.
const (
	noSolution   = "game files of which ALFWorld's expert found no solution"
	notGenerated = "initial states without a game.tw-pddl, in a split where others have one"
	noTrajectory = "initial states without their traj_data.json"
	noGame       = "traj_data.json without game.tw-pddl or initial_state.pddl beside them"
	noFile       = "game files that are no files"
	deadLink     = "links that lead nowhere"
	linkedTwice  = "links to folders that are in the split already"
	otherLayout  = "games that another layout has, too"
)

// leftOut is what is no task, by the reason.
type leftOut map[string][]string

func (l leftOut) add(reason, split, name string) {
	l[reason] = append(l[reason], path.Join(split, name))
}

// lines words all of it, a reason a line.
func (l leftOut) lines() (lines []string) {
	for _, reason := range slices.Sorted(maps.Keys(l)) {
		lines = append(lines, fmt.Sprintf("left out: %d %s, for example %s", len(l[reason]), reason, l[reason][0]))
	}
	return lines
}

// scanner collects the games of one split, from one or several folders.
type scanner struct {
	split  string
	ready  []game // .tw-pddl files
	states []game // folders with an initial state alone
	unable int    // games without a solution
	left   leftOut

	links []link          // to folders, which come after what lies in the split itself
	seen  map[string]bool // folders, by their real paths
}

// link is a link to a folder: where that really is, and the link's name in the split.
type link struct{ folder, name string }

// games returns the split's games, by name. Initial states count where no game was made
// of any: alfworld-generate has left out the others.
func (s *scanner) games() []game {
	byName := func(a, b game) int { return cmp.Compare(a.name, b.name) }
	found := s.distinct(s.ready)
	states := s.distinct(slices.DeleteFunc(s.states, func(g game) bool {
		_, made := slices.BinarySearchFunc(found, g, byName)
		return made
	}))
	if len(found)+s.unable == 0 {
		return states
	}
	for _, g := range states {
		s.left.add(notGenerated, s.split, g.name)
	}
	return found
}

// distinct sorts games by name. Of those with one name the first stays: that of the newest layout.
func (s *scanner) distinct(games []game) []game {
	slices.SortStableFunc(games, func(a, b game) int { return cmp.Compare(a.name, b.name) })
	return slices.CompactFunc(games, func(a, b game) bool {
		same := a.name == b.name
		if same {
			s.left.add(otherLayout, s.split, b.name)
		}
		return same
	})
}

// walk enters what lies below a folder, and then what links lead to.
func (s *scanner) walk(ctx context.Context, root string) error {
	root, err := filepath.EvalSymlinks(root)
	if err != nil || !isFolder(root) {
		return err
	}
	if err := s.enter(ctx, root, ""); err != nil {
		return err
	}
	for len(s.links) > 0 {
		l := s.links[0]
		s.links = s.links[1:]
		if s.seen[l.folder] {
			s.left.add(linkedTwice, s.split, l.name)
		} else if err := s.enter(ctx, l.folder, l.name); err != nil {
			return err
		}
	}
	return nil
}

// enter enters a folder, which is called name in the split.
func (s *scanner) enter(ctx context.Context, folder, name string) error {
	s.seen[folder] = true
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		at, rel := filepath.Join(folder, e.Name()), path.Join(name, e.Name())
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(s.ready)+len(s.states) >= maxGames:
			return sparkd.Errorf(sparkd.CodeInvalid, "more than %d games", maxGames)
		case e.IsDir():
			err = s.enter(ctx, at, rel)
		case e.Type()&fs.ModeSymlink != 0 && !isGame(e.Name()):
			s.follow(at, rel)
		default:
			s.file(at, name, e.Name())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow enters a link that is no game file: to a folder, or to another file of a game.
func (s *scanner) follow(at, rel string) {
	real, err := filepath.EvalSymlinks(at)
	switch {
	case err != nil:
		s.left.add(deadLink, s.split, rel)
	case isFolder(real):
		s.links = append(s.links, link{real, rel})
	default:
		s.file(at, strings.TrimSuffix(path.Dir(rel), "."), path.Base(rel))
	}
}

func isGame(base string) bool { return base == gameFile || strings.HasSuffix(base, gameSuffix) }

// file enters a file of a game, in the folder that is called name in the split.
func (s *scanner) file(at, name, base string) {
	beside := func(other string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(at), other))
		return err == nil
	}
	folder := cmp.Or(name, s.split)
	switch {
	case isGame(base):
		if base != gameFile {
			folder = path.Join(name, strings.TrimSuffix(base, gameSuffix))
		}
		s.game(at, folder)
	case base == stateFile && beside(trajectoryFile):
		s.states = append(s.states, game{folder, filepath.Dir(at)})
	case base == stateFile && !beside(gameFile):
		s.left.add(noTrajectory, s.split, name)
	case base == trajectoryFile && !beside(stateFile) && !beside(gameFile):
		s.left.add(noGame, s.split, name)
	}
}

// game enters a game file. One that cannot be read fails the tasks that name it, and no others.
func (s *scanner) game(at, name string) {
	if about, err := os.Stat(at); err == nil && !about.Mode().IsRegular() {
		s.left.add(noFile, s.split, name) // to open a pipe would wait for who writes to it
		return
	}
	if unsolvable, err := isUnsolvable(at); err == nil && unsolvable {
		s.unable++
		s.left.add(noSolution, s.split, name)
		return
	}
	s.ready = append(s.ready, game{name, at})
}
