package connector

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// wordy are the fields in which servers say what went wrong, the most telling first. Their case differs.
var wordy = []string{"error", "errors", "detail", "details", "message", "msg", "reason", "description", "title",
	"exception"}

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// Words returns what the body of an error says: the text that a JSON object has in a field such as error or detail,
// the title of a page, or else the body, cut.
func Words(body []byte) string {
	if v, err := Value(body); err == nil {
		if words := spoken(v); words != "" {
			return Excerpt(words)
		}
	}
	if title := pageTitle.FindSubmatch(body); title != nil {
		return Excerpt(string(title[1]))
	}
	return Excerpt(string(body))
}

// spoken returns the words of a JSON value, "" where it has none.
func spoken(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case []any:
		var parts []string
		for _, item := range v {
			if words := spoken(item); words != "" {
				parts = append(parts, words)
			}
		}
		return strings.Join(parts, "; ")
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		for _, field := range wordy {
			for _, key := range keys {
				if words := spoken(v[key]); words != "" && strings.EqualFold(key, field) {
					return words
				}
			}
		}
	}
	return ""
}
