package sparkd

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"time"
)

// crockford is the alphabet of ULIDs (github.com/ulid/spec).
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID returns a ULID: 26 characters, the first 10 of them the time t in
// milliseconds, so that ids sort by time of creation.
func NewID(t time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(t.UnixMilli())<<16)
	rand.Read(b[6:]) // ends the program where the system has no entropy
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	var out [26]byte
	for i := 25; i >= 0; i-- {
		out[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// TimeOf returns the time that a ULID holds, and whether id is one.
func TimeOf(id string) (time.Time, bool) {
	if len(id) != 26 || id[0] > '7' { // 128 bits in letters of five
		return time.Time{}, false
	}
	var ms int64
	for i := range len(id) {
		digit := strings.IndexByte(crockford, id[i])
		if digit < 0 {
			return time.Time{}, false
		}
		if i < 10 {
			ms = ms<<5 | int64(digit)
		}
	}
	return time.UnixMilli(ms), true
}

// Mix derives a seed from a seed and coordinates, so that everything drawn for one place of a tree depends on that
// place and not on the order of arrival (splitmix64, Steele et al. 2014).
func Mix(seed uint64, coordinates ...uint64) uint64 {
	for _, c := range coordinates {
		seed = splitmix(seed ^ splitmix(c+0x9e3779b97f4a7c15))
	}
	return splitmix(seed)
}

func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
