package coldstart

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"

	"sparkd"
)

// Resumed is a file of rows of an earlier run, which a later one goes on with at its end.
type Resumed struct {
	*os.File
	tasks map[string]bool // whose rows it has
}

// Resume opens the rows of an earlier run with the same window, or a new file. A line that
// was cut off goes, and with it the rows of the trajectory before, to which it may belong.
func Resume(path string, window int) (*Resumed, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, sparkd.Invalid("resume", "name a file with --out", "%s is no regular file", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, sparkd.Invalid("out", "name another file with --out", "cannot write the output: %v", err)
	}
	r := &Resumed{f, map[string]bool{}}
	end, err := r.scan(window)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// scan notes whose rows the file has and returns where what is whole ends.
func (r *Resumed) scan(window int) (end int64, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRow)
	lines.Split(wholeLine)
	last, began, n := "", int64(0), 1 // the last task, where its rows begin, and the line
	for ; lines.Scan(); n++ {
		line := lines.Bytes()
		if line[len(line)-1] != '\n' {
			delete(r.tasks, last)
			return began, nil
		}
		task, err := rowTask(line, window)
		if err != nil {
			return 0, r.noRow(n, err)
		}
		if task != last {
			last, began = task, end
		}
		r.tasks[last] = true
		end += int64(len(line))
	}
	if err := lines.Err(); err != nil {
		return 0, r.noRow(n, lineError(err, maxRow))
	}
	return end, nil
}

func (r *Resumed) noRow(line int, err error) error {
	return sparkd.Invalid("resume", "name the file of an earlier run with --out",
		"line %d of %s is no row: %v", line, r.Name(), err)
}

// rowTask returns the task of a row.
func rowTask(line []byte, window int) (string, error) {
	var row Row
	err := json.Unmarshal(line, &row)
	switch {
	case err != nil:
	case row.Task == "":
		err = errors.New("it names no task")
	case (len(row.Messages) == 0) != (window > 0):
		err = errors.New("it was written with another --window")
	}
	return row.Task, err
}

// maxRow bounds a line of rows, in bytes.
const maxRow = 64 << 20

// wholeLine is bufio.ScanLines, but leaves a line its end.
func wholeLine(data []byte, atEOF bool) (int, []byte, error) {
	if n := bytes.IndexByte(data, '\n') + 1; n > 0 {
		return n, data[:n], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
