package alfworld

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// bases are the folders in which ALFWorld's splits may lie: the one that is given, and in it those of the archives
// that alfworld-download unpacks, json_2.1.1 (trajectories, initial states) and json_2.1.2 (games), the newest first.
func bases(root string) []string {
	inside := below(root, "json_2*")
	slices.Reverse(inside)
	return slices.DeleteFunc(append([]string{root}, inside...), func(base string) bool { return !isSplits(base) })
}

// scan finds the games under a folder: one split for each folder in its layouts, which add up where they lie beside
// each other, or where there is none one split by the folder's own name.
func scan(ctx context.Context, root string) (map[string][]game, leftOut, error) {
	root, err := filepath.EvalSymlinks(root)
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return nil, nil, err
	}
	folders, layouts := []string{root}, bases(root)
	if len(layouts) > 0 {
		folders = nil
	}
	for _, base := range layouts {
		for _, folder := range below(base, "*") {
			if !slices.Contains(layouts, folder) {
				folders = append(folders, folder)
			}
		}
	}
	left := leftOut{}
	scanners := map[string]*scanner{} // by split
	for _, folder := range folders {
		split := splitName(folder)
		if scanners[split] == nil {
			scanners[split] = &scanner{split: split, left: left, seen: map[string]bool{}}
		}
		if err := scanners[split].walk(ctx, folder); err != nil {
			return nil, nil, err
		}
	}
	splits := map[string][]game{}
	for split, s := range scanners {
		if found := s.games(); len(found) > 0 {
			splits[split] = found
		}
	}
	return splits, left, nil
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
