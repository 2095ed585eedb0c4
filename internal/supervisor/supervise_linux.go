package supervisor

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// init makes this process a supervisor if it was started as one. Nothing of the program that it would otherwise be
// has run by then but inits.
func init() {
	if len(os.Args) == 1 && os.Args[0] == mark {
		supervise()
		syscall.Exit(0)
	}
}

// keeper is what a supervisor knows.
type keeper struct {
	link    *link
	program *os.Process
	sweep   func() // kills all descendants, again and again; it may be called often

	mu    sync.Mutex
	ended report
}

// supervise runs the program that it is told, and returns when that and all that descends from it are gone. It is on
// the main thread: the program is to die with the supervisor, and the system takes the end of the thread for that.
func supervise() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	_ = os.WriteFile("/proc/self/comm", []byte(mark), 0) // "exe" otherwise
	outliveSignals()
	const fd = 3
	syscall.CloseOnExec(fd)
	l, err := newLink(os.NewFile(fd, "link"))
	if err != nil {
		return
	}
	k := &keeper{link: l}
	k.sweep = sync.OnceFunc(func() { go k.kill() })
	if k.start() {
		go k.obey()
		k.reap()
		k.end()
	}
}

// outliveSignals has signals that may reach more than the program end the program alone. They are caught and not
// ignored, since the program would inherit that.
func outliveSignals() {
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// start starts the program that it is told and reports that.
func (k *keeper) start() bool {
	var o order
	if k.link.Decode(&o) != nil {
		return false
	}
	var err error
	k.program, err = os.StartProcess(o.Path, o.Args, &os.ProcAttr{Dir: o.Dir, Env: o.Env,
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}})
	if err != nil {
		errno := syscall.EINVAL
		errors.As(err, &errno)
		_ = k.link.Encode(report{Errno: int(errno)})
		return false
	}
	// The program's stdin and stdout are its own: where it closes them, sparkd is to see it.
	if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		_ = unix.Dup2(int(null.Fd()), 0)
		_ = unix.Dup2(int(null.Fd()), 1)
	}
	return k.link.Encode(report{Pid: k.program.Pid}) == nil
}

// obey passes signals on to the program, and kills all when the link ends.
func (k *keeper) obey() {
	for {
		var o order
		if k.link.Decode(&o) != nil {
			break
		}
		_ = k.program.Signal(o.Signal)
	}
	k.sweep()
}

// reap waits for all children, those that descendants left included, and has what the program left killed.
func (k *keeper) reap() {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WALL, nil)
		switch {
		case err == syscall.ECHILD:
			return
		case pid == k.program.Pid:
			k.mu.Lock()
			k.ended = report{Ended: true, Status: s}
			k.mu.Unlock()
			k.sweep()
		}
	}
}

// kill kills all descendants until the process ends, because there are none or they do not die.
func (k *keeper) kill() {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; time.Now().Before(deadline); pause = min(2*pause, 100*time.Millisecond) {
		killBelow(os.Getpid())
		time.Sleep(pause)
	}
	k.end()
}

// end reports how the program ended, and ends this process.
func (k *keeper) end() {
	k.mu.Lock()
	_ = k.link.Encode(k.ended)
	syscall.Exit(0)
}
