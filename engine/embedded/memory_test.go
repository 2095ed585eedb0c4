package embedded

import (
	"testing"
	"testing/fstest"
)

func TestRoomFor(t *testing.T) {
	for _, c := range []struct {
		what              string
		cellBytes, memory int64
		want              int // cells
	}{
		{"a small model", 23040, 20 << 30, 65536}, // SmolLM2-135M
		{"a large one", 131072, 20 << 30, 20480},  // Llama 3 8B
		{"little memory", 23040, 2 << 30, 11648},
		{"hardly any", 131072, 1 << 30, 4096},
		{"none", 23040, 0, 4096},
		{"no end of it", 1, 1 << 62, 65536},
		{"cells that take nothing", 0, 1 << 30, 65536},
	} {
		if got := roomFor(c.cellBytes*blockTokens, c.memory) * blockTokens; got != c.want {
			t.Errorf("%s: %d cells, want %d", c.what, got, c.want)
		}
	}
}

func TestAvailableMemory(t *testing.T) {
	const told, limit = "proc/meminfo", "sys/fs/cgroup/memory.max"
	for _, c := range []struct {
		files map[string]string
		want  int64
	}{
		{nil, 8 << 30},
		{map[string]string{told: "MemTotal:  9 kB\nMemAvailable:    2048 kB\nBuffers: 7 kB\n"}, 2 << 20},
		{map[string]string{told: "MemTotal:  9 kB\n"}, 8 << 30},
		{map[string]string{told: "MemAvailable:"}, 8 << 30},
		{map[string]string{told: "MemAvailable: much kB\n"}, 8 << 30},
		{map[string]string{told: "MemAvailable: 99999999999999999999 kB\n"}, 8 << 30},
		{map[string]string{told: "MemAvailable: 2048 kB\n", limit: "max\n"}, 2 << 20},
		{map[string]string{told: "MemAvailable: 2048 kB\n", limit: "1048576\n"}, 1 << 20},
		{map[string]string{told: "MemAvailable: 2048 kB\n", limit: "4194304\n"}, 2 << 20},
		{map[string]string{limit: "1048576\n"}, 1 << 20},
		{map[string]string{limit: ""}, 8 << 30},
	} {
		system := fstest.MapFS{}
		for name, text := range c.files {
			system[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := availableMemory(system); got != c.want {
			t.Errorf("%q: %d bytes, want %d", c.files, got, c.want)
		}
	}
}
