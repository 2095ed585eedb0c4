// Package surrogate finds in JSON what encoding/json would replace without a word: half of a surrogate pair, as where a
// text was cut within an emoji.
package surrogate

import (
	"bytes"
	"regexp"
)

// escapes finds the escapes of JSON; half of a surrogate pair is captured.
var escapes = regexp.MustCompile(`\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)`)

// Half returns where in data the first escape begins and ends that is half of a surrogate pair, or nil.
func Half(data []byte) []int {
	if !bytes.Contains(data, []byte(`\ud`)) && !bytes.Contains(data, []byte(`\uD`)) {
		return nil
	}
	for _, m := range escapes.FindAllSubmatchIndex(data, -1) {
		if m[2] >= 0 {
			return m[:2]
		}
	}
	return nil
}
