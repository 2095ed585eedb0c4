// Package settings makes a section of the configuration out of an Options struct. The
// tags of its fields are the one description that a setting has:
//
//	Events int `toml:"events" default:"100000" range:"1..1073741824"`
//
//	toml        the key; a field without it is no setting
//	default     what holds where nobody sets it; without it the zero value
//	range       "low..high", both inclusive, or ">0"
//	choices     the values that a string may have, separated by commas
//	zero        the word that stands for 0, as "auto" does
//	secret      "true": the value is never printed; "addresses": those of a list are, without passwords and queries
//	separators  what separates the words of a list beside spaces
//
// The Go type says how a value is written:
//
//	string             text
//	bool               true or false
//	int                a whole number
//	int64              bytes, "64MiB"
//	time.Duration      "1m30s"
//	[]string           a list of strings; as text: as in TOML, or separated by spaces, where words stand in quotes
//	                   that contain what separates them
//	map[string]string  a table of strings; as text: name=value, separated by commas
//
// What fields say together, and choices that a table of the room lists, an Options struct
// checks in a method [Validator].
package settings
