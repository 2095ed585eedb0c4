package alfworld

import "sparkd"

// examples are a short episode that shows both modes of reasoning.
var examples = []sparkd.Example{{
	Text: "You are in the middle of a room. Looking quickly around you, you see a bed 1, a desk 1, and a shelf 1.\n\n" +
		"Your task is to: put a book in bed.",
	Admissible: []string{"go to bed 1", "go to desk 1", "go to shelf 1", "look"},
	Surprised:  true, Reason: "The book may be on desk 1 or on shelf 1.", Action: "go to desk 1",
}, {
	Text:       "You arrive at desk 1. On the desk 1, you see a pen 1.",
	Admissible: []string{"go to bed 1", "go to shelf 1", "take pen 1 from desk 1"},
	Surprised:  true, Reason: "No book here, it may be on shelf 1.", Action: "go to shelf 1",
}, {
	Text:       "You arrive at shelf 1. On the shelf 1, you see a book 2.",
	Admissible: []string{"go to bed 1", "go to desk 1", "take book 2 from shelf 1"},
	Reason:     "I found the book.", Action: "take book 2 from shelf 1",
}}
