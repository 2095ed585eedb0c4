package export

import "reflect"

// format is one form of lines: a literal in a file of its own, whose fields say all that a line is.
type format struct {
	name, about string
	// It cannot be without logprobs of all trained tokens, or without the messages of the prompt.
	logprobs, messages bool
	unestimated        bool // no advantage, and no other number of an estimator but weights, is in a line
	lines              lines
}

// lines is what the lines of a format are made of. The functions that return it say so:
// wholeTrees, forks, steps, labelledSteps, sequences, uniformSequences and wholeGroups.
type lines struct {
	typ   func() reflect.Type           // of a line, see fields.typ
	tree  func(*encoder, *creditedTree) // writes the lines of a tree
	group func(*encoder)                // writes what is made of all trees of a group; nil: nothing is
}

// perTree are lines of one T each, which each writes for a tree.
func perTree[T any](line fields[T], each func(e *encoder, t *creditedTree, write func(T))) lines {
	write := line.writer()
	return lines{typ: line.typ, tree: func(e *encoder, t *creditedTree) {
		if !t.chosen {
			return
		}
		each(e, t, func(from T) {
			write(&e.out, from)
			e.end()
		})
	}}
}

var formats = []format{
	treeFormat, rowsFormat,
	verlFormat, verlAgentFormat,
	trlGRPOFormat, trlAsyncFormat, trlSFTFormat, trlDPOFormat, trlKTOFormat,
	openRLHFFormat, atroposFormat, slimeFormat, arealFormat, skyRLFormat,
	openAIFormat,
}

// Formats lists the formats.
func Formats() []string {
	names := make([]string, len(formats))
	for i := range formats {
		names[i] = formats[i].name
	}
	return names
}

// formatNamed returns a format, or an error that lists the known ones.
func formatNamed(name string) (*format, error) {
	for i := range formats {
		if formats[i].name == name {
			return &formats[i], nil
		}
	}
	return nil, oneOf("format", name, Formats())
}
