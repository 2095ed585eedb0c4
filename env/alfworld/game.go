package alfworld

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sparkd"
)

// maxGame bounds a file of a game in bytes; ALFWorld's have about 100 kB, and its traj_data.json up to 500 kB.
const maxGame = 4 << 20

// Names of the files of a game.
const (
	gameFile       = "game.tw-pddl"
	gameSuffix     = ".tw-pddl"
	stateFile      = "initial_state.pddl"
	trajectoryFile = "traj_data.json"
)

// gameData is a game.tw-pddl.
type gameData struct {
	Domain   *string `json:"pddl_domain"`
	Grammar  *string `json:"grammar"`
	Problem  *string `json:"pddl_problem"`
	Solvable *bool   `json:"solvable"` // null: not tried
}

// trajectory is what a game needs of a traj_data.json.
type trajectory struct {
	Type   string `json:"task_type"`
	Params struct {
		Object     string `json:"object_target"`
		Receptacle string `json:"parent_target"`
		Lamp       string `json:"toggle_target"`
		Movable    string `json:"mrecep_target"`
		Sliced     bool   `json:"object_sliced"`
	} `json:"pddl_params"`
}

// readGame reads a game.tw-pddl: rules, phrasing, initial state and goal.
func readGame(b []byte) (*Problem, error) {
	const remedy = "it must be a game.tw-pddl of alfworld-download or alfworld-generate; download it again"
	var d gameData
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, sparkd.Invalid(gameFile, remedy, "it is not JSON, or cut off: %v", err)
	}
	for _, part := range []struct {
		field string
		text  *string
	}{{domainField, d.Domain}, {grammarField, d.Grammar}, {problemField, d.Problem}} {
		if part.text == nil {
			return nil, sparkd.Invalid(part.field, remedy, "the game has no such text")
		}
	}
	if d.Solvable != nil && !*d.Solvable {
		return nil, sparkd.Invalid("solvable", "choose another game", "ALFWorld's expert found no solution")
	}
	rules, err := readDomain(*d.Domain)
	if err != nil {
		return nil, err
	}
	phrasing, err := readPhrasing(*d.Grammar, rules)
	if err != nil {
		return nil, err
	}
	p, err := readProblem(*d.Problem, rules.name)
	if err != nil {
		return nil, err
	}
	p.Phrasing = phrasing
	p.Goal.recognise()
	return p, nil
}

// readState reads an initial_state.pddl, to be played by the rules and in the words of
// alfworld 0.4.2. The task's sentence is the first template of its type; ALFWorld draws one.
func readState(state, traj []byte) (*Problem, error) {
	var t trajectory
	if err := json.Unmarshal(traj, &t); err != nil {
		return nil, sparkd.Invalid(trajectoryFile, "download it again", "it is not JSON, or cut off: %v", err)
	}
	sentence := templates[TaskType(t.Type)][0]
	if t.Params.Sliced || sentence == "" {
		sentence = longer[t.Type+map[bool]string{true: "_slice"}[t.Params.Sliced]]
	}
	if sentence == "" {
		return nil, sparkd.Invalid("task_type", "ALFWorld has six task types, and pick_and_place_with_movable_recep",
			"unknown task type %q", t.Type)
	}
	p, err := readProblem(string(state), "alfred")
	if err != nil {
		return nil, err
	}
	p.Goal.recognise()
	p.Goal.Sentence = strings.ToLower(strings.NewReplacer("{obj}", t.Params.Object, "{recep}", t.Params.Receptacle,
		"{toggle}", t.Params.Lamp, "{mrecep}", t.Params.Movable).Replace(sentence))
	return p, nil
}

// loadGame reads the game at path: a .tw-pddl file, or a folder with an initial state.
func loadGame(path string) (*Problem, error) {
	if strings.HasSuffix(path, gameSuffix) {
		b, err := readFile(path)
		if err != nil {
			return nil, err
		}
		return readGame(b)
	}
	state, err := readFile(filepath.Join(path, stateFile))
	if err != nil {
		return nil, err
	}
	traj, err := readFile(filepath.Join(path, trajectoryFile))
	if err != nil {
		return nil, err
	}
	return readState(state, traj)
}

// readFile reads a file of a game.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxGame+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(b) > maxGame {
		return nil, sparkd.Invalid(filepath.Base(path), "ALFWorld's own games have about 100 kB",
			"the file is larger than %d MiB", maxGame>>20)
	}
	return b, nil
}

func unreadable(path string, err error) error {
	why := err
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		why = e.Err
	}
	const remedy = "see to it that sparkd may read the file, and that it was not moved since sparkd started"
	return sparkd.Invalid(filepath.Base(path), remedy, "cannot read the file: %v", why).Because(err)
}
