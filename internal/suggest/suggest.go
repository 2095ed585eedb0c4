// Package suggest finds the names that somebody meant who wrote another one.
package suggest

import (
	"cmp"
	"slices"
	"strings"
)

// maxName is how many bytes of a name are compared: it comes from outside and may have any length.
const maxName = 200

// Names returns the names nearest to name, most of them or fewer: first those that contain
// it, then those at the least Distance; of equals those that come first.
func Names(name string, among []string, most int) []string {
	name = name[:min(len(name), maxName)]
	type candidate struct {
		name string
		away int
	}
	found := make([]candidate, len(among))
	for i, n := range among {
		found[i] = candidate{n, -1}
		if name == "" || !strings.Contains(n, name) {
			found[i].away = Distance(name, n)
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.away, b.away) })
	var names []string
	for _, c := range found[:min(most, len(found))] {
		names = append(names, c.name)
	}
	return names
}

// Name returns the name of those given that word was most likely meant to be: within two
// edits of it, of which fewer than it has bytes; else "".
func Name(word string, among []string) string {
	best, distance := "", min(3, len(word))
	for _, n := range among {
		if d := Distance(word, n); d < distance {
			best, distance = n, d
		}
	}
	return best
}

// Distance is how many insertions, deletions and replacements of bytes it takes to make b of a (Levenshtein).
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
