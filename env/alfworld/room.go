package alfworld

import (
	_ "embed"
	"iter"
	"strings"
)

// room is a kind of floor plan. ALFRED has 30 floor plans of each kind.
type room struct {
	name        string
	receptacles []furnishing
	objects     string // in how many of the 30 floor plans a type occurs: "Apple:30"
}

// furnishing says how many receptacles of a type a room has, see data/rooms.txt.
type furnishing struct{ kind, counts string }

//go:embed data/rooms.txt
var roomsText string

var rooms = readRooms()

func readRooms() (rooms []room) {
	for key, words := range rows(roomsText) {
		at := len(rooms) - 1
		switch key {
		case "room":
			rooms = append(rooms, room{name: words})
		case "objects":
			rooms[at].objects = words
		default:
			rooms[at].receptacles = append(rooms[at].receptacles, furnishing{key, words})
		}
	}
	return rooms
}

// rows yields the lines "key: words" of a table; others are comments.
func rows(table string) iter.Seq2[string, string] {
	return func(yield func(key, words string) bool) {
		for line := range strings.Lines(table) {
			key, words, ok := strings.Cut(line, ":")
			if ok && !strings.HasPrefix(line, "#") && !yield(key, strings.TrimSpace(words)) {
				return
			}
		}
	}
}

// Indices of rooms.
const (
	kitchen = iota
	livingRoom
	bedroom
	bathroom
)
