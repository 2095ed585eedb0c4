package coldstart

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"sparkd"
)

// Resumed is a file of rows of an earlier run, which a later one goes on with at its end.
type Resumed struct {
	*os.File
	tasks map[string]bool // whose rows it has
}

// rest leaves out the paths whose rows the file has.
func (r *Resumed) rest(paths iter.Seq2[Path, error]) iter.Seq2[Path, error] {
	return func(yield func(Path, error) bool) {
		for p, err := range paths {
			if !r.tasks[p.Task.String()] && !yield(p, err) {
				return
			}
		}
	}
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
	lines := bufio.NewReaderSize(r, 1<<20)
	last, began := "", int64(0) // the last task, and where its rows begin
	for n := 1; ; n++ {
		line, err := readRow(lines)
		if err == io.EOF && len(line) > 0 {
			delete(r.tasks, last)
			return began, nil
		}
		if err == io.EOF {
			return end, nil
		}
		task := ""
		if err == nil {
			task, err = rowTask(line, window)
		}
		if err != nil {
			return 0, sparkd.Invalid("resume", "name the file of an earlier run with --out",
				"line %d of %s is no row: %v", n, r.Name(), err)
		}
		if task != last {
			last, began = task, end
		}
		r.tasks[last] = true
		end += int64(len(line))
	}
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

// readRow returns the next line with its end, or the rest of the file with io.EOF.
func readRow(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(line) > maxRow {
			return nil, fmt.Errorf("longer than %d bytes", maxRow)
		}
	}
}
