package api

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sparkd"
)

// knownParameters refuses query parameters that the route does not know or that are given twice.
func knownParameters(r *request) error {
	var seen []string
	for key := range r.QueryArgs().All() {
		name := string(key)
		if !slices.Contains(r.route.query, name) {
			remedy := "this route takes none"
			if len(r.route.query) > 0 {
				remedy = "this route takes " + strings.Join(r.route.query, ", ")
			}
			return sparkd.Invalid(name, remedy, "unknown query parameter")
		}
		if slices.Contains(seen, name) {
			return sparkd.Invalid(name, "give it once", "query parameter given twice")
		}
		seen = append(seen, name)
	}
	return nil
}

func (r *request) parameter(name string) string { return string(r.QueryArgs().Peek(name)) }

// number reads a whole number from min to max; absent is missing.
func (r *request) number(name string, missing, min, max uint64) (uint64, error) {
	text := r.parameter(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < min || n > max {
		return 0, sparkd.Invalid(name, fmt.Sprintf("use a whole number from %d to %d", min, max),
			"%q is out of range", text)
	}
	return n, nil
}

// duration reads a time up to most, "30s" or a number of seconds; absent is 0.
func (r *request) duration(name string, most time.Duration) (time.Duration, error) {
	text := r.parameter(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d < 0 || d > most {
		return 0, sparkd.Invalid(name, fmt.Sprintf("use a time from 0s to %.0fs, and ask again behind it",
			most.Seconds()), "%q is out of range", clip(text))
	}
	return d, nil
}

// boolean reads true or false; absent is false.
func (r *request) boolean(name string) (bool, error) {
	switch text := r.parameter(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, sparkd.Invalid(name, "use true or false", "%q is neither", text)
	}
}

// Sizes of pages.
const (
	defaultPage = 100
	maxPage     = 1000
)

func (r *request) pageSize() (int, error) {
	n, err := r.number("limit", defaultPage, 1, maxPage)
	return int(n), err
}

// Page is the answer of a route that lists.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // the value of after for the next page; absent on the last
}
