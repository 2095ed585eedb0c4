package alfworld

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sparkd"
)

// game is a game on disk.
type game struct {
	name string // "pick_and_place_simple-Mug-None-Desk-308/trial_T20190908_121952_610012"
	path string // for loadGame
}

// kind returns the task type, which names of ALFWorld's folders start with; "" if this does not.
func (g *game) kind() TaskType {
	if first, _, _ := strings.Cut(g.name, "-"); slices.Contains(TaskTypes(), TaskType(first)) {
		return TaskType(first)
	}
	return ""
}

// ALFWorld's splits, as alfworld-download lays them out.
const (
	trainSplit  = "train"
	seenSplit   = "valid_seen"
	unseenSplit = "valid_unseen"
)

// maxGames bounds a folder; ALFWorld's has 6,574 trajectories in train.
const maxGames = 100_000

// scan finds the games under a folder: one split for each folder in it if ALFWorld's
// splits are there (or in its json_2.1.1), otherwise one split by the folder's own name.
// skipped counts the games that are known to have no solution; ALFWorld leaves them out too.
func scan(ctx context.Context, root string) (splits map[string][]game, skipped int, err error) {
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, 0, err
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, 0, err
	}
	folders := []string{root}
	for _, base := range append([]string{root}, below(root, "json_2*")...) {
		if isSplits(base) {
			folders = below(base, "*")
			break
		}
	}
	splits = map[string][]game{}
	for _, split := range folders {
		s := scanner{root: split}
		if err := s.walk(ctx); err != nil {
			return nil, 0, err
		}
		if found := s.games(); len(found) > 0 {
			splits[splitName(split)] = found
		}
		skipped += s.skipped
	}
	return splits, skipped, nil
}

// splitName makes a name of a split of a folder's: tasks are written env/split/index.
func splitName(root string) string {
	if name := filepath.Base(root); name != string(filepath.Separator) && name != "." {
		return name
	}
	return "games"
}

// below lists the folders in root whose names match a pattern.
func below(root, pattern string) []string {
	entries, _ := os.ReadDir(root)
	var found []string
	for _, e := range entries {
		path := filepath.Join(root, e.Name())
		if ok, _ := filepath.Match(pattern, e.Name()); ok && isFolder(path) {
			found = append(found, path)
		}
	}
	return found
}

func isFolder(path string) bool {
	about, err := os.Stat(path)
	return err == nil && about.IsDir()
}

func isSplits(root string) bool {
	return slices.ContainsFunc([]string{trainSplit, seenSplit, unseenSplit},
		func(s string) bool { return isFolder(filepath.Join(root, s)) })
}

// scanner collects the games of one split.
type scanner struct {
	root    string
	ready   []game // .tw-pddl files
	states  []game // folders with an initial state alone
	skipped int
}

// games returns the split's games, by name. Initial states count where no game was made
// of any: alfworld-generate has left out the others.
func (s *scanner) games() []game {
	found := s.ready
	if len(found) == 0 && s.skipped == 0 {
		found = s.states
	}
	slices.SortFunc(found, func(a, b game) int { return cmp.Compare(a.name, b.name) })
	return found
}

func (s *scanner) walk(ctx context.Context) error {
	root, err := filepath.EvalSymlinks(s.root)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return nil
		case len(s.ready)+len(s.states) >= maxGames:
			return sparkd.Errorf(sparkd.CodeInvalid, "more than %d games", maxGames)
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return s.file(path, filepath.ToSlash(rel), d.Name())
	})
}

// file enters a file of a game.
func (s *scanner) file(path, rel, base string) error {
	folder := strings.TrimSuffix(strings.TrimSuffix(rel, base), "/")
	if folder == "" {
		folder = splitName(s.root)
	}
	switch {
	case base == gameFile || strings.HasSuffix(base, gameSuffix):
		name := folder
		if base != gameFile {
			name = strings.TrimSuffix(rel, gameSuffix)
		}
		if about, err := os.Stat(path); err == nil && !about.Mode().IsRegular() {
			return nil // to open a pipe would wait for who writes to it
		}
		if unsolvable, err := isUnsolvable(path); err == nil && unsolvable {
			s.skipped++
			return nil
		}
		// One that cannot be read fails the tasks that name it, and no others.
		s.ready = append(s.ready, game{name, path})
	case base == stateFile:
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), trajectoryFile)); err == nil {
			s.states = append(s.states, game{folder, filepath.Dir(path)})
		}
	}
	return nil
}

var unsolvableMark = regexp.MustCompile(`"solvable"\s*:\s*false`)

// isUnsolvable reports whether a game file says that it has no solution. It reads the
// end of the file, where ALFWorld writes that, and all of it only if that does not say.
func isUnsolvable(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil || about.Size() > maxGame {
		return false, err // Reset says that it is too large
	}
	for _, size := range []int64{min(16<<10, about.Size()), about.Size()} {
		b := make([]byte, size)
		if _, err := f.ReadAt(b, about.Size()-size); err != nil && err != io.EOF {
			return false, err
		}
		// Quotes inside the texts are escaped, so this can only be the key.
		if unsolvableMark.Match(b) {
			return true, nil
		}
		if bytes.Contains(b, []byte(`"solvable"`)) {
			return false, nil
		}
	}
	return false, nil
}

// addLevels adds SPARK's levels of generalisation (arXiv 2601.20209): l0 is valid_seen, l1
// is valid_unseen, l2 is the task types in valid_unseen that train4 leaves out.
func addLevels(splits map[string][]game) {
	held := func(g game) bool { return slices.Contains(TaskTypes()[4:], g.kind()) }
	trained := func(g game) bool { return g.kind() != "" && !held(g) }
	all := func(game) bool { return true }
	for _, level := range []struct {
		name, of string
		keep     func(game) bool
	}{{"l0", seenSplit, all}, {"l1", unseenSplit, all}, {"l2", unseenSplit, held}, {"train4", trainSplit, trained}} {
		var games []game
		for _, g := range splits[level.of] {
			if level.keep(g) {
				games = append(games, g)
			}
		}
		if _, taken := splits[level.name]; !taken && len(games) > 0 {
			splits[level.name] = games
		}
	}
}
