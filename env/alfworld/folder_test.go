package alfworld

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sparkd"
)

// dataFolder is a folder: what is in it, and which games of which splits are found there.
type dataFolder struct {
	files string            // game:PATH, state:PATH (with a trajectory), traj:PATH, bare:PATH (a state alone), …
	links map[string]string // by the link: what it leads to
	want  map[string]string // names by split, but for the levels
	log   string            // a part of a line; "": nothing is left out
}

var folders = map[string]dataFolder{
	"states beside games": {
		files: "state:json_2.1.1/train/a state:json_2.1.1/train/b game:json_2.1.2/train/a game:json_2.1.2/valid_seen/c",
		want:  map[string]string{"train": "a", "valid_seen": "c"},
		log:   "1 initial states without a game.tw-pddl, in a split where others have one, for example train/b"},
	"a split of states alone": {
		files: "state:json_2.1.1/valid_seen/s game:json_2.1.2/train/a",
		want:  map[string]string{"train": "a", "valid_seen": "s"}},
	"games in both": {
		files: "broken:json_2.1.1/train/a game:json_2.1.2/train/a",
		want:  map[string]string{"train": "a"}, log: "1 games that another layout has, too, for example train/a"},
	"splits beside a layout": {
		files: "game:train/x game:json_2.1.2/train/y", want: map[string]string{"train": "x y"}},
	"linked trials": {
		files: "game:../store/t1 game:../store/t2 game:train/t0",
		links: map[string]string{"train/t1": "../store/t1", "train/kind/t2": "../store/t2"},
		want:  map[string]string{"train": "kind/t2 t0 t1"}},
	"a linked split": {
		files: "game:../store/t1", links: map[string]string{"valid_seen": "../store"},
		want: map[string]string{"valid_seen": "t1"}},
	"circles": {
		files: "game:train/a", links: map[string]string{"train/a/up": "train", "train/again": "train/a"},
		want: map[string]string{"train": "a"},
		log:  "2 links to folders that are in the split already, for example train/"},
	"dead links": {
		files: "game:train/a", links: map[string]string{"train/b": "gone"},
		want: map[string]string{"train": "a"}, log: "1 links that lead nowhere, for example train/b"},
	"no solution": {
		files: "game:train/a unsolvable:train/b", want: map[string]string{"train": "a"},
		log: "1 game files of which ALFWorld's expert found no solution, for example train/b"},
	"trajectories alone": {
		files: "game:train/a traj:train/b", want: map[string]string{"train": "a"},
		log: "1 traj_data.json without game.tw-pddl or initial_state.pddl beside them, for example train/b"},
	"states alone": {
		files: "game:train/a bare:train/b", want: map[string]string{"train": "a"},
		log: "1 initial states without their traj_data.json, for example train/b"},
}

// make makes the folder and returns its path.
func (l *dataFolder) make(t *testing.T) string {
	p := kitchenette(PickHeat)
	files := map[string]string{"data/note": ""}
	for _, entry := range strings.Fields(l.files) {
		what, at, _ := strings.Cut(entry, ":")
		at = filepath.Join("data", at) + "/"
		switch what {
		case "game":
			files[at+gameFile], files[at+stateFile], files[at+trajectoryFile] = string(gameBytes(t, p)), p.pddl(), "{}"
		case "broken":
			files[at+gameFile] = "{"
		case "unsolvable":
			files[at+gameFile] = `{"solvable": false}`
		case "state":
			files[at+stateFile], files[at+trajectoryFile] = p.pddl(), "{}"
		case "traj":
			files[at+trajectoryFile] = "{}"
		case "bare":
			files[at+stateFile] = p.pddl()
		}
	}
	root := filepath.Join(write(t, files), "data")
	for link, to := range l.links {
		link, to = filepath.Join(root, link), filepath.Join(root, to)
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(to, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Layouts beside each other, links, and parts that are no task, which the log names.
func TestFoldersOfManyKinds(t *testing.T) {
	for name, l := range folders {
		t.Run(name, func(t *testing.T) {
			var log []string
			s, err := Open(t.Context(), "alf", Options{Data: l.make(t),
				Log: func(line string) { log = append(log, line) }})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for split, games := range s.splits {
				var names []string
				for _, g := range games {
					names = append(names, g.name)
				}
				if !slices.Contains([]string{"l0", "l1", "l2", "train4"}, split) {
					got[split] = strings.Join(names, " ")
				}
			}
			if !maps.Equal(got, l.want) {
				t.Errorf("games %q, want %q", got, l.want)
			}
			if all := strings.Join(log, "\n"); (l.log == "") != (all == "") || !strings.Contains(all, l.log) {
				t.Errorf("log %q, want %q", log, l.log)
			}
			if _, err := s.world(sparkd.Task{Split: "train"}); err != nil && l.want["train"] != "" {
				t.Error(err)
			}
		})
	}
}
