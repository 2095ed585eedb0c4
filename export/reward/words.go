package reward

import "strings"

// Words splits a command line into words, as a shell does and nothing more: spaces separate them, single and double
// quotes keep spaces, and a backslash takes the next character as it is, except in single quotes. Nothing is expanded.
func Words(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, escaped, inside := rune(0), false, false
	for _, c := range command {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inside = true, true
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, inside = c, true
		case quote == 0 && strings.ContainsRune(" \t\r\n", c):
			if inside {
				words = append(words, word.String())
				word.Reset()
				inside = false
			}
		default:
			word.WriteRune(c)
			inside = true
		}
	}
	if quote != 0 || escaped {
		return nil, invalid("close the quote, or write \\ before it",
			"%q ends inside a quote or behind a backslash", command)
	}
	if inside {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, invalid("name a program, for example python3 rule.py", "no program is named")
	}
	return words, nil
}
