//go:build cgo

package embedded

// #include "bridge.h"
import "C"

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"sparkd"
)

// trialName is what a process is called that this program starts of itself to try a file.
const trialName = "sparkd-trial"

// What a trial may take besides what its files ask for; a small model takes a tenth of a second and a tenth of a GiB.
const (
	trialTime   = 7 * time.Second
	trialSpeed  = 8 << 20 // bytes of the files that are loaded a second, at least
	trialMemory = 7 << 28
)

// Every program that has this engine in it is its own trial, tests included.
func init() {
	if len(os.Args) == 3 && os.Args[0] == trialName {
		os.Exit(beTried(weights{model: checkpoint{path: os.Args[1]}, adapter: checkpoint{path: os.Args[2]}}))
	}
}

// verdict is what a trial writes.
type verdict struct {
	Header int64 // bytes of the model's file in front of its weights
	Error  *sparkd.Error
	Cause  string // of Error
}

// passed is what is remembered of a model that passed its trial: all but what its weights are worth.
type passed struct {
	size, header int64
	sum          [sha256.Size]byte // of the header
}

// covers reports whether the file at path is one that needs no trial any more. What weights are worth decides no branch
// in llama.cpp that could end it, and training changes nothing else.
func (p *passed) covers(path string) bool {
	q, err := fingerprint(path, p.header)
	return err == nil && p.header > 0 && q == *p
}

func fingerprint(path string, header int64) (p passed, err error) {
	f, err := os.Open(path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(h, f, header); err != nil {
		return p, err
	}
	p = passed{size: sizeOf(path), header: header}
	h.Sum(p.sum[:0])
	return p, nil
}

// try loads w in a process of its own, to see whether that ends the process: a GGUF can make llama.cpp assert on one of
// many threads, read where nothing is, take all the memory or never come to an end, and there is no list of such files.
// What passes is loaded here.
func (l *loader) try(ctx context.Context, w weights) error {
	if w.adapter.path == "" && l.passed.covers(w.model.path) {
		return nil
	}
	v, err := runTrial(ctx, w)
	if err != nil {
		return err
	}
	if v.Error != nil {
		return v.Error.Because(errors.New(v.Cause))
	}
	l.passed, err = fingerprint(w.model.path, v.Header)
	if err != nil {
		return unusable("write to another name and rename when the file is complete",
			"%s changed while it was loaded", filepath.Base(w.model.path)).Because(err)
	}
	return nil
}

// runTrial starts a trial and waits for its verdict.
func runTrial(ctx context.Context, w weights) (v verdict, err error) {
	program := "/proc/self/exe" // this program, though its file may have been replaced
	if runtime.GOOS != "linux" {
		if program, err = os.Executable(); err != nil {
			return v, noTrial(err)
		}
	}
	limit := trialTime + time.Duration(w.bytes()/trialSpeed)*time.Second
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said, complained := &firstBytes{most: 1 << 16}, &firstBytes{most: 1 << 12}
	c := exec.CommandContext(timed, program)
	c.Args = []string{trialName, w.model.path, w.adapter.path}
	c.Env = append(os.Environ(), "GGML_NO_BACKTRACE=1", "GOTRACEBACK=none")
	c.Stdout, c.Stderr, c.WaitDelay = said, complained, time.Second
	_, err = c.StdinPipe() // which ends with this process, however that ends
	if err == nil {
		err = c.Start()
	}
	if err != nil && ctx.Err() == nil {
		return v, noTrial(err)
	}
	err = c.Wait()
	name := filepath.Base(cmp.Or(w.adapter.path, w.model.path))
	switch {
	case ctx.Err() != nil:
		return v, sparkd.AsError(ctx.Err())
	case timed.Err() != nil:
		return v, unusable("check the file, or fetch it again", "%s was not loaded within %v", name, limit)
	case err == nil && json.Unmarshal(said.Bytes(), &v) == nil:
		return v, nil
	}
	why := strings.TrimSpace(strings.TrimPrefix(complained.line(), "sparkd: the embedded engine cannot go on: "))
	return v, unusable("check the file, or fetch it again",
		"%s ends the process that loads it: %s", name, cmp.Or(why, fmt.Sprint(err))).Because(err)
}

func noTrial(err error) error {
	return unusable("let sparkd start itself: limits of processes or a sandbox may forbid it",
		"a model is loaded by a process of its own first, and that cannot be started: %v", err)
}

// beTried is the other side: it loads w, uses it a little and writes the verdict.
func beTried(w weights) (exitCode int) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // nobody waits for the verdict
	}()
	C.bridge_small_stacks() // llama.cpp starts a thread for every tensor that it checks

	if err := limitMemory(trialMemory + w.bytes()*3/2); err != nil { // weights may be there twice for a moment
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	header, err := rehearse(context.Background(), w)
	v := verdict{Header: header, Error: sparkd.AsError(err)}
	if v.Error != nil && v.Error.Err != nil {
		v.Cause = v.Error.Err.Error()
	}
	if json.NewEncoder(os.Stdout).Encode(v) != nil {
		return 1
	}
	return 0
}

// rehearse does with a model what the engine will do.
func rehearse(ctx context.Context, w weights) (header int64, err error) {
	b, err := openModel(ctx, w, modelOptions{threads: 1, blocks: 64, batch: 64, segments: 4})
	if err != nil {
		return 0, err
	}
	defer b.close()
	for _, control := range []bool{false, true} {
		if _, err := b.tokenize("a\x00b \t\n\n  <|im_end|></s> \U0010FFFF\u2581"+everyByte, control); err != nil {
			return 0, unusable("convert the model anew", "the vocabulary cannot tokenise a text").Because(err)
		}
	}
	tokens := make([]sparkd.Token, min(18, b.contextLength()))
	for i := range tokens { // the first and the last of the vocabulary, and some between
		tokens[i] = sparkd.Token(i * (b.vocabulary() - 1) / max(1, len(tokens)-1))
	}
	path := blocksFrom(0, len(tokens))
	first := max(1, len(tokens)-2)
	for at, end := 0, first; end <= len(tokens); at, end = end, end+1 { // a prompt, then one by one
		if err := b.forward([]segment{{path: cut(path, end), tokens: tokens[at:end], output: true}}); err != nil {
			return 0, unusable("check the file", "%s does not compute", filepath.Base(w.model.path)).Because(err)
		}
		logits := b.logits(0)
		b.draw(logits, 1, b.summarize(logits, 1), 0.5)
	}
	return int64(b.(*model).facts.header), nil
}

// blocksFrom is a path of n cells, from the block first on.
func blocksFrom(first int32, n int) (path []blockRef) {
	for at := 0; at < n; at += blockTokens {
		path = append(path, blockRef{first + int32(at/blockTokens), int32(min(blockTokens, n-at))})
	}
	return path
}

// bytes is the size of the files.
func (w *weights) bytes() int64 { return sizeOf(w.model.path) + sizeOf(w.adapter.path) }

// part is the end of the name of a file of several that are one model (llama.cpp, gguf-split).
var part = regexp.MustCompile(`-[0-9]{5}(-of-[0-9]{5}\.gguf)$`)

// sizeOf is the size of the file at path and of those that belong to it.
func sizeOf(path string) (n int64) {
	files := []string{path}
	if i := part.FindStringSubmatchIndex(path); i != nil {
		files, _ = filepath.Glob(path[:i[0]] + "-[0-9][0-9][0-9][0-9][0-9]" + path[i[2]:])
	}
	for _, f := range files {
		if s, err := os.Stat(f); err == nil {
			n += s.Size()
		}
	}
	return n
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct {
	bytes.Buffer
	most int
}

func (h *firstBytes) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), h.most-h.Len())])
	return len(p), nil
}

// line is the first one that says something.
func (h *firstBytes) line() string {
	line, _, _ := strings.Cut(strings.TrimSpace(h.String()), "\n")
	return line
}
