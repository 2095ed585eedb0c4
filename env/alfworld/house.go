package alfworld

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"sparkd"
)

// Seeds of the generator are mixed from these, so that houses and games draw apart.
const (
	houseSalt uint64 = 0x686f757365
	gameSalt  uint64 = 0x67616d65
)

// A house has as many receptacles as ALFWorld's games.
const minReceptacles, maxReceptacles = 9, 39

// house returns the receptacles of house id. Its room is id modulo 4.
func house(id int) []Receptacle {
	rng := newRand(houseSalt, uint64(id))
	plan := &rooms[id%len(rooms)]
	for {
		kinds := plan.furnish(rng)
		if minReceptacles <= len(kinds) && len(kinds) <= maxReceptacles {
			return arrange(rng, kinds)
		}
	}
}

// furnish draws how many receptacles of each type the room has.
func (p *room) furnish(rng *rand.Rand) []string {
	var kinds []string
	for _, f := range p.receptacles {
		for range f.draw(rng) {
			kinds = append(kinds, f.kind)
		}
	}
	return kinds
}

// draw returns the count of one of the 30 floor plans.
func (f *furnishing) draw(rng *rand.Rand) int {
	k := rng.IntN(30)
	for _, d := range f.distribution() {
		if k -= d[1]; k < 0 {
			return d[0]
		}
	}
	return 0
}

// distribution returns pairs of a count and the number of floor plans that have it.
func (f *furnishing) distribution() [][2]int {
	var pairs [][2]int
	for _, entry := range strings.Fields(f.counts) {
		count, plans, _ := strings.Cut(entry, "x")
		pairs = append(pairs, [2]int{atoi(count), atoi(plans)})
	}
	return pairs
}

// arrange gives the receptacles ids and locations. As in ALFRED's floor plans, where one seventh of them does,
// neighbouring cabinets, drawers and shelves may be used from one location.
func arrange(rng *rand.Rand, kinds []string) []Receptacle {
	receptacles := make([]Receptacle, len(kinds))
	ids := newIDs(rng)
	locations := 0
	for i, kind := range kinds {
		neighbour := i > 0 && kinds[i-1] == kind && (kind == "Cabinet" || kind == "Drawer" || kind == "Shelf")
		if !(neighbour && rng.IntN(7) == 0) {
			locations++
		}
		receptacles[i] = Receptacle{ID: ids.next(kind), Type: kind, Location: locations - 1, Openable: openable[kind]}
	}
	return receptacles
}

// ids draws ALFRED ids: a type and a position in metres, each position once.
type ids struct {
	rng  *rand.Rand
	used map[[3]int]bool
}

func newIDs(rng *rand.Rand) *ids { return &ids{rng, map[[3]int]bool{}} }

func (d *ids) next(kind string) string {
	var at [3]int // centimetres
	for {
		at = [3]int{d.rng.IntN(1200) - 600, d.rng.IntN(220), d.rng.IntN(1200) - 600}
		if !d.used[at] {
			break
		}
	}
	d.used[at] = true
	b := make([]byte, 0, 48)
	switch kind {
	case "SinkBasin", "BathtubBasin":
		b = append(b, strings.TrimSuffix(kind, "Basin")...)
	default:
		b = append(b, kind...)
	}
	for _, centimetres := range at {
		b = appendPosition(b, centimetres)
	}
	if strings.HasSuffix(kind, "Basin") {
		b = append(append(b, '|'), kind...)
	}
	return string(b)
}

// appendPosition appends "|+01.23".
func appendPosition(b []byte, centimetres int) []byte {
	sign := byte('+')
	if centimetres < 0 {
		sign, centimetres = '-', -centimetres
	}
	digit := func(of int) byte { return byte('0' + centimetres/of%10) }
	return append(b, '|', sign, digit(1000), digit(100), '.', digit(10), digit(1))
}

func newRand(seed uint64, coordinates ...uint64) *rand.Rand {
	s := sparkd.Mix(seed, coordinates...)
	return rand.New(rand.NewPCG(s, sparkd.Mix(s)))
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err) // a typing error in room.go
	}
	return n
}
