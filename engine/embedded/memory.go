package embedded

import (
	"bytes"
	"io/fs"
	"strconv"
)

// Bounds of the number of blocks that is chosen: 4,096 cells hold a few paths of an agent;
// with 65,536, three trees of household that grew at once dropped nothing they came back to.
const (
	fewestBlocks = 4096 / blockTokens
	mostBlocks   = 65536 / blockTokens
)

// roomFor is how many blocks of so many bytes are taken where no number is set: as many as fit
// in an eighth of the memory, within bounds. They take it once they are used.
func roomFor(blockBytes, memory int64) int {
	return int(min(max(memory/8/max(blockBytes, 1), fewestBlocks), mostBlocks))
}

// availableMemory is what the process may take, in bytes, of a system whose files these are: Linux reports what is
// available and, at the root of a container, its limit. Without such a report it is taken to be 8 GiB.
func availableMemory(system fs.FS) int64 {
	memory := int64(8 << 30)
	if info, err := fs.ReadFile(system, "proc/meminfo"); err == nil {
		_, rest, _ := bytes.Cut(info, []byte("MemAvailable:"))
		if fields := bytes.Fields(rest); len(fields) > 0 {
			if kib, err := strconv.ParseInt(string(fields[0]), 10, 53); err == nil {
				memory = kib << 10
			}
		}
	}
	if limit, err := fs.ReadFile(system, "sys/fs/cgroup/memory.max"); err == nil { // a number or "max"
		if most, err := strconv.ParseInt(string(bytes.TrimSpace(limit)), 10, 64); err == nil {
			memory = min(memory, most)
		}
	}
	return memory
}
