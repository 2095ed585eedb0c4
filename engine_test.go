package sparkd

import (
	"encoding/json"
	"strings"
	"testing"
)

// Facts that have fields are shown among the settings, and leave the map as it was.
func TestEngineDetails(t *testing.T) {
	info := EngineInfo{Dialect: "vllm", ServerVersion: "0.32.0", Cells: 64, BlockTokens: 16, Threads: 2,
		Settings: map[string]any{"layers": 30}}
	text, err := json.Marshal(struct{ Info EngineInfo }{info})
	want := `"settings":{"block":16,"cells":64,"dialect":"vllm","layers":30,"server_version":"0.32.0","threads":2}}`
	if err != nil || !strings.Contains(string(text), want) || len(info.Settings) != 1 {
		t.Errorf("%s: %v; %v", text, err, info.Settings)
	}
	if text, err := json.Marshal(EngineInfo{}); err != nil || strings.Contains(string(text), "settings") {
		t.Errorf("%s: %v", text, err)
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	for _, n := range []int{0, 1, 2, 3, 4, 5, 512, 513, 9999} {
		h.Observe(n)
	}
	if want := [11]uint64{1, 1, 2, 1, 0, 0, 0, 0, 0, 1, 2}; h.Counts != want || h.Sum != 11039 {
		t.Errorf("%+v", h)
	}
}
