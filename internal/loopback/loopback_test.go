package loopback

import "testing"

func TestIs(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "[::1]": true,
		"::ffff:127.0.0.1": true, "[::ffff:127.0.0.1]": true,

		"": false, "0.0.0.0": false, "::": false, "[::]": false, "192.168.1.2": false, "trainer": false,
		"localhost.": false, "localhost.example": false, "127.0.0.1.example": false,
		"127.1": false, "2130706433": false,
		"0127.0.0.1": false, "[127.0.0.1]": false, "[::1": false, "::1]": false, "]::1[": false, "[[::1]]": false,
		"::1%lo": false, "[localhost]": false, "127.0.0.1:80": false, " localhost": false, "[]": false,
	} {
		if got := Is(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
