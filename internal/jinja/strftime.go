package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// strftime is that of the C library in its own locale.
func strftime(layout string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' {
			b.WriteByte(layout[i])
			continue
		}
		from := i
		flags := ""
		for i++; i < len(layout) && strings.IndexByte("-_0^#", layout[i]) >= 0; i++ {
			flags += layout[i : i+1]
		}
		text, ok := "", false
		if i < len(layout) {
			text, ok = directive(layout[i], flags, t)
		}
		if !ok {
			text = layout[from:min(i+1, len(layout))]
		}
		b.WriteString(text)
	}
	return b.String()
}

// shorthand directives stand for several.
var shorthand = map[byte]string{'D': "%m/%d/%y", 'F': "%Y-%m-%d", 'R': "%H:%M", 'T': "%H:%M:%S", 'X': "%H:%M:%S",
	'x': "%m/%d/%y", 'c': "%a %b %e %H:%M:%S %Y", 'r': "%I:%M:%S %p"}

// directive returns what one writes. Flags change the padding or the case.
func directive(d byte, flags string, t time.Time) (string, bool) {
	if long, ok := shorthand[d]; ok {
		return strftime(long, t), true
	}
	if n, width, pad, ok := numeral(d, t); ok {
		for _, flag := range flags {
			pad = map[rune]string{'-': "", '_': " ", '0': "0"}[flag]
		}
		digits := strconv.Itoa(n)
		if pad == "" {
			return digits, true
		}
		return strings.Repeat(pad, max(0, width-len(digits))) + digits, true
	}
	text, ok := word(d, t)
	switch {
	case strings.Contains(flags, "^"):
		text = strings.ToUpper(text)
	case strings.Contains(flags, "#") && d == 'p':
		text = strings.ToLower(text)
	case strings.Contains(flags, "#"):
		text = strings.ToUpper(text)
	}
	return text, ok
}

func word(d byte, t time.Time) (string, bool) {
	switch d {
	case 'a':
		return t.Format("Mon"), true
	case 'A':
		return t.Format("Monday"), true
	case 'b', 'h':
		return t.Format("Jan"), true
	case 'B':
		return t.Format("January"), true
	case 'p':
		return t.Format("PM"), true
	case 'P':
		return t.Format("pm"), true
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case '%':
		return "%", true
	case 'z', 'Z': // now() has no time zone
		return "", true
	}
	return "", false
}

// numeral returns a number, its width, and what it is padded with.
func numeral(d byte, t time.Time) (n, width int, pad string, ok bool) {
	weekYear, week := t.ISOWeek()
	monday, sunday := (int(t.Weekday())+6)%7, int(t.Weekday())
	switch d {
	case 'd':
		return t.Day(), 2, "0", true
	case 'e':
		return t.Day(), 2, " ", true
	case 'm':
		return int(t.Month()), 2, "0", true
	case 'Y':
		return t.Year(), 4, "0", true
	case 'y':
		return t.Year() % 100, 2, "0", true
	case 'C':
		return t.Year() / 100, 2, "0", true
	case 'H':
		return t.Hour(), 2, "0", true
	case 'k':
		return t.Hour(), 2, " ", true
	case 'I':
		return (t.Hour()+11)%12 + 1, 2, "0", true
	case 'l':
		return (t.Hour()+11)%12 + 1, 2, " ", true
	case 'M':
		return t.Minute(), 2, "0", true
	case 'S':
		return t.Second(), 2, "0", true
	case 'j':
		return t.YearDay(), 3, "0", true
	case 'u':
		return monday + 1, 1, "0", true
	case 'w':
		return sunday, 1, "0", true
	case 'U':
		return (t.YearDay() + 6 - sunday) / 7, 2, "0", true
	case 'W':
		return (t.YearDay() + 6 - monday) / 7, 2, "0", true
	case 'V':
		return week, 2, "0", true
	case 'G':
		return weekYear, 4, "0", true
	case 'g':
		return weekYear % 100, 2, "0", true
	case 's':
		return int(t.Unix()), 1, "0", true
	}
	return 0, 0, "", false
}
