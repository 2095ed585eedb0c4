package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/coldstart"
	"sparkd/env"
)

// teacherFlags are the flags of reasons that a teacher gives.
type teacherFlags struct {
	url, model, keyFile, golden string
	timeout                     time.Duration
	inflight, tokens            int
	resume                      bool

	rows *os.File        // of --resume, at its end
	done map[string]bool // tasks whose rows it has
}

func (t *teacherFlags) add(f *flag.FlagSet) {
	f.StringVar(&t.url, "teacher", "", "`URL` in front of /chat/completions of a model that gives the reasons, mostly http://…/v1")
	f.StringVar(&t.model, "teacher-model", "", "`name` of the teacher's model")
	f.StringVar(&t.keyFile, "teacher-key-file", "", "`file` with the key that the teacher's server wants")
	f.DurationVar(&t.timeout, "teacher-timeout", 2*time.Minute, "most `time` of one of the teacher's answers")
	f.IntVar(&t.tokens, "teacher-tokens", 4096, "most `tokens` of one of the teacher's answers, its own thoughts included")
	f.StringVar(&t.golden, "golden", "", "`file` of golden paths for the teacher, {\"task\":\"env/split/index\",\"actions\":[…]} a line; without it the planner's")
	f.IntVar(&t.inflight, "inflight", 4, "most `paths` that the teacher is asked about at a time")
	f.BoolVar(&t.resume, "resume", false, "go on behind the rows that --out has, and skip their tasks")
}

// validate refuses flags that mean nothing together.
func (t *teacherFlags) validate(o *coldstartFlags) error {
	needs := func(flags []string, what string) error {
		for _, name := range flags {
			if o.given(name) {
				return usage("--%s %s", name, what)
			}
		}
		return nil
	}
	if t.url == "" {
		return needs([]string{"teacher-model", "teacher-key-file", "teacher-timeout", "teacher-tokens", "golden", "inflight", "resume"}, "goes with --teacher URL --teacher-model NAME alone")
	}
	if t.golden != "" {
		if err := needs([]string{"split", "from"}, "says which tasks the planner takes; with --golden the file does"); err != nil {
			return err
		}
	}
	switch plain := !strings.HasSuffix(o.out, ".zst") && o.out != "" && o.out != "-"; {
	case t.model == "":
		return usage("--teacher needs --teacher-model NAME, as the server lists it at /v1/models")
	case t.timeout <= 0:
		return usage("--teacher-timeout is %v; a time such as 2m", t.timeout)
	case t.inflight > 1024:
		return usage("--inflight is %d; at most 1024", t.inflight)
	case t.resume && !plain:
		return usage("--resume needs --out FILE of plain lines; pack them when all are there")
	}
	return needs([]string{"own", "slips", "seed"}, "is the planner's; a teacher annotates golden paths")
}

// teach has a teacher annotate golden paths.
func (c *cli) teach(o *coldstartFlags, w *world) (err error) {
	key, err := readKey(o.teacher.keyFile)
	if err != nil {
		return err
	}
	teacher, err := coldstart.NewTeacher(coldstart.TeacherOptions{URL: o.teacher.url, Model: o.teacher.model, Key: key, Timeout: o.teacher.timeout, MaxTokens: o.teacher.tokens})
	if err != nil {
		return err
	}
	defer teacher.Close()
	paths, err := goldenPaths(c.ctx, o, w)
	if err != nil {
		return err
	}
	sum := &coldstartReport{}
	if o.teacher.resume {
		if err := o.teacher.open(o.out, o.window); err != nil {
			return err
		}
		paths = o.teacher.rest(paths, sum)
	}
	return c.writeRows(o, sum, func(ctx context.Context, r *rowWriter) error {
		a := coldstart.Annotation{Env: w.env, Teacher: teacher, MaxSteps: o.MaxSteps, Limit: w.limit, Inflight: o.teacher.inflight, Emit: r.trajectory, Leave: r.leave}
		err := a.Run(ctx, paths)
		sum.Answers, sum.Refused = teacher.Answers()
		return err
	})
}

// maxKey bounds a key, in bytes.
const maxKey = 64 << 10

func readKey(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	fail := func(err error) error {
		return &sparkd.Error{Code: sparkd.CodeInvalid, Field: "teacher-key-file", Message: "no key can be read: " + err.Error(), Remedy: "put the key into the file, in one line", Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fail(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return "", fail(err)
	}
	if key := strings.TrimSpace(string(text)); key != "" {
		return key, nil
	}
	return "", fail(errors.New(path + " is empty"))
}

// goldenPaths returns the paths of the file, or those that the planner finds.
func goldenPaths(ctx context.Context, o *coldstartFlags, w *world) (iter.Seq2[coldstart.Path, error], error) {
	if o.teacher.golden == "" {
		planned, err := w.planned(o)
		if err != nil {
			return nil, err
		}
		if _, err := env.Resolve(w.source, sparkd.Tasks{Env: o.Env, Split: o.Split, From: o.From, Count: o.Count}); err != nil {
			return nil, err // twice the same path would have twice the same reasons
		}
		return coldstart.Golden(ctx, planned, o.Options), nil
	}
	f, err := os.Open(o.teacher.golden)
	if err != nil {
		return nil, sparkd.Invalid("golden", "name a file of golden paths", "%v", err)
	}
	defer f.Close()
	paths, err := coldstart.ReadPaths(f, o.Env)
	if err != nil {
		return nil, err
	}
	if o.given("trajectories") && o.Count < len(paths) {
		paths = paths[:o.Count]
	}
	o.Count = len(paths)
	return func(yield func(coldstart.Path, error) bool) {
		for _, p := range paths {
			if !yield(p, nil) {
				return
			}
		}
	}, nil
}

// rest leaves out the paths whose rows are there.
func (t *teacherFlags) rest(paths iter.Seq2[coldstart.Path, error], sum *coldstartReport) iter.Seq2[coldstart.Path, error] {
	sum.Skipped = len(t.done)
	return func(yield func(coldstart.Path, error) bool) {
		for p, err := range paths {
			if !t.done[p.Task.String()] && !yield(p, err) {
				return
			}
		}
	}
}

// maxRow bounds a line of rows, in bytes.
const maxRow = 64 << 20

// open opens the file of an earlier run at its end and notes whose rows it has. A line that
// was cut off goes, and with it the rows of the trajectory before, to which it may belong.
func (t *teacherFlags) open(path string, window int) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return sparkd.Invalid("resume", "name a file with --out", "%s is no regular file", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return outputError(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	t.rows, t.done = f, map[string]bool{}
	lines := bufio.NewReaderSize(f, 1<<20)
	var end, began int64 // of what is whole, and of its last task's rows
	last := ""
	for n := 1; ; n++ {
		line, err := readRow(lines)
		if err == io.EOF && len(line) > 0 {
			end = began
			delete(t.done, last)
		}
		if err == io.EOF {
			break
		}
		var row coldstart.Row
		if err == nil {
			err = json.Unmarshal(line, &row)
		}
		if err == nil && row.Task == "" {
			err = errors.New("it names no task")
		}
		if err == nil && (len(row.Messages) == 0) != (window > 0) {
			err = errors.New("it was written with another --window")
		}
		if err != nil {
			return sparkd.Invalid("resume", "name the file of an earlier run with --out", "line %d of %s is no row: %v", n, path, err)
		}
		if row.Task != last {
			last, began = row.Task, end
		}
		t.done[last] = true
		end += int64(len(line))
	}
	if err := f.Truncate(end); err != nil {
		return outputError(err)
	}
	_, err = f.Seek(end, io.SeekStart)
	return err
}

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
