package bench_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sparkd/engine/embedded"
)

// endless makes a Q8_0 copy of a GGUF in which no token ends a text, so that every sample
// has as many tokens as the recording's, whoever draws it: the tokens that do are renamed,
// and end of text is one that a model does not sample.
func endless(t *testing.T, model string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "endless-Q8_0.gguf")
	if err := embedded.Quantize(model, path, "Q8_0"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 16<<20) // the vocabulary is in front of the weights
	n, err := f.ReadAt(head, 0)
	if err != nil {
		t.Fatal(err)
	}
	head = head[:n]
	write := func(after, value []byte) {
		at := bytes.Index(head, after)
		if at < 0 {
			t.Fatalf("%s has no %q: measure with SmolLM2, the recording is of its tokens", model, after)
		}
		if _, err := f.WriteAt(value, int64(at+len(after)-len(value))); err != nil {
			t.Fatal(err)
		}
	}
	for _, token := range []string{"<|im_end|>", "<|endoftext|>"} {
		entry := append(binary.LittleEndian.AppendUint64(nil, uint64(len(token))), token...)
		write(entry, []byte("<|nothing to end|>"[:len(token)-2]+"|>"))
	}
	const issueStart = 8
	key, kind := "tokenizer.ggml.eos_token_id", []byte{4, 0, 0, 0} // a uint32
	write(append(append([]byte(key), kind...), 2, 0, 0, 0), []byte{issueStart, 0, 0, 0})
	return path
}

// server is a process of this measurement that answers on a port.
type server struct {
	url string
	pid int
}

// startLlama starts llama-server and waits until it answers. It ends with the test.
func startLlama(t *testing.T, binary, model string, flags ...string) server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	var log bytes.Buffer
	c := exec.Command(binary, append([]string{"-m", model, "--host", "127.0.0.1", "--port", strconv.Itoa(port),
		"--no-webui", "-t", strconv.Itoa(threads), "-tb", strconv.Itoa(threads)}, flags...)...)
	c.Stdout, c.Stderr = &log, &log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { c.Wait(); close(gone) }()
	t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		<-gone
	})
	s := server{url: fmt.Sprintf("http://127.0.0.1:%d", port), pid: c.Process.Pid}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		if w, err := http.Get(s.url + "/health"); err == nil {
			w.Body.Close()
			if w.StatusCode == http.StatusOK {
				return s
			}
		}
		select {
		case <-tick.C:
		case <-gone:
			t.Fatalf("llama-server %v ended: %s", flags, tail(log.String()))
		case <-ctx.Done():
			t.Fatalf("llama-server %v does not answer", flags)
		}
	}
}

func tail(s string) string { return s[max(len(s)-2000, 0):] }

// cpuSeconds is the processor time that a process has used, 0 where nobody tells. Unlike
// the clock, it hardly depends on who else uses the machine.
func cpuSeconds(pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])) // from the third on
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// load is the machine's load average of the last minute.
func load() float64 {
	data, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(data), " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}
