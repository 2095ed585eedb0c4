package embedded

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// threadStack is what glibc gives threads where the stack of the first one is not limited.
const threadStack = 2 << 20

// limitMemory lets this process take so many bytes more, and leave no core file. Its first thread gets less of a stack
// than other threads have, on one of which a file that passes will be loaded.
func limitMemory(more int64) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(status, []byte("\nVmData:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return fmt.Errorf("/proc/self/status has no VmData")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 53)
	if err != nil {
		return err
	}
	data := uint64(kib<<10 + more)
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: data, Max: data}); err != nil {
		return err
	}
	var stack syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &stack); err != nil {
		return err
	}
	if stack.Cur >= 1<<40 {
		stack.Cur = threadStack
	}
	stack.Cur = stack.Cur / 4 * 3
	if err := syscall.Setrlimit(syscall.RLIMIT_STACK, &stack); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
