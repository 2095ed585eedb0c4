package surrogate

import "testing"

func TestHalf(t *testing.T) {
	for data, want := range map[string]string{
		``: "", `"é"`: "", `"\u00e9\uD7ff\ue000"`: "", `"\ud83e\udd8a"`: "", `"\uD83E\uDD8A\uD83E\uDD8A"`: "",
		`"\\ud83e"`: "", `"\\\\ud83e \"\ud83e\udd8a"`: "",
		`"\ud83e"`: `\ud83e`, `"\udd8a"`: `\udd8a`, `"\uDd8a\uD83e"`: `\uDd8a`, `"\ud83e\ud83e\udd8a"`: `\ud83e`,
		`"\\\ud83e"`: `\ud83e`, `"\ud83ex\udd8a"`: `\ud83e`, `"\ud83e\\udd8a"`: `\ud83e`, `{"\udc80": 1}`: `\udc80`,
	} {
		got := ""
		if at := Half([]byte(data)); at != nil {
			got = data[at[0]:at[1]]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
}
