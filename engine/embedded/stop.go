package embedded

import "bytes"

// stopEnd returns where in text the first stop string ends, or -1. The last added bytes
// are new: a match may begin anywhere before them, across tokens and inside a UTF-8
// sequence that was not complete until now, but no match ended earlier.
func stopEnd(text []byte, added int, stops []string) int {
	end := -1
	for _, stop := range stops {
		from := max(0, len(text)-added-len(stop)+1)
		i := bytes.Index(text[from:], []byte(stop))
		if i >= 0 && (end < 0 || from+i+len(stop) < end) {
			end = from + i + len(stop)
		}
	}
	return end
}
