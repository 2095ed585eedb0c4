package supervisor

// Status says how a program ended, in the words of os.ProcessState.
type Status struct {
	words   string
	success bool
}

func (s Status) String() string { return s.words }

// Success reports whether the program ended by itself with exit status 0.
func (s Status) Success() bool { return s.success }
