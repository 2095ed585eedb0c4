//go:build !linux

package supervisor

// Descendants are not known here.
func Descendants(int) []int { return nil }

// Resident is not known here.
func Resident(int) int { return 0 }
