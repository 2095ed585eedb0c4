package supervisor

import (
	"encoding/gob"
	"net"
	"os"
	"os/exec"
	"syscall"
)

// mark is the name by which the executable is started as a supervisor. Nothing of sparkd is in it: whoever kills
// "sparkd" by its name wants its programs gone, and that is the supervisors' work.
const mark = "subreaper"

// order goes to the supervisor: the program first, then signals for it. The end of the link is the last one: kill all.
type order struct {
	Path, Dir string
	Args, Env []string
	Signal    syscall.Signal
}

// report comes from the supervisor: whether the program was started, and how it ended.
type report struct {
	Pid    int
	Errno  int // why there is no Pid
	Ended  bool
	Status syscall.WaitStatus
}

// link is one end of the connection between sparkd and a supervisor.
type link struct {
	*net.UnixConn
	*gob.Encoder
	*gob.Decoder
}

func newLink(f *os.File) (*link, error) {
	defer f.Close() // FileConn has a descriptor of its own
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return &link{c.(*net.UnixConn), gob.NewEncoder(c), gob.NewDecoder(c)}, nil
}

// supervised makes of a command that of its supervisor, which is told the program by the link that is returned. The
// other end of the link is to be closed when the supervisor has it.
func supervised(c *exec.Cmd) (ours *link, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "link of the supervisor")
	if ours, err = newLink(os.NewFile(uintptr(fds[0]), "link")); err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	c.Path, c.Args, c.Env, c.Dir = "/proc/self/exe", []string{mark}, append(os.Environ(), "GOMAXPROCS=1"), ""
	c.ExtraFiles = []*os.File{theirs}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // signals of the terminal are sparkd's
	return ours, theirs, nil
}
