// Package supervisor starts programs of which nothing is left when they end: not what they started, and not when
// sparkd is killed.
//
// # Linux
//
// Between sparkd and a program stands a supervisor: this very executable, started again, in a mode that the init of
// this package turns it to before anything else runs, so that test binaries can be supervisors, too. The
// supervisor is a subreaper (prctl(2)): whatever descends from the program, in a session of its own or a daemon twice
// forked, is a descendant of the supervisor, and becomes its child when its parent ends. It kills them all, again and
// again until none is left, when the program has ended or when its link to sparkd closes, which the system does
// however sparkd ends. The program dies with its supervisor, should that be killed.
//
// Out of reach are what some other service starts for a program (a container, a unit of systemd), and processes that
// have become another user's.
//
// # Elsewhere
//
// A program leads a process group, which is killed when it ends or is to end. What has left the group lives on, and
// after a sudden end of sparkd all of it does.
package supervisor
