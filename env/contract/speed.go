package contract

import (
	"fmt"
	"os"
	"slices"
	"time"

	"sparkd/internal/supervisor"
)

// Speed is what an environment costs, seen from sparkd: with the way to it, and with what keeps its copies.
type Speed struct {
	Steps  float64 `json:"steps_per_second"` // of one copy
	Reset  float64 `json:"reset_ms"`         // median
	Fork   float64 `json:"fork_ms"`          // median, in the middle of the longest walk
	Memory float64 `json:"memory_mib"`       // resident, of the processes that sparkd started; 0: none
}

// tries is how often resets and forks are measured.
const tries = 7

// measure measures speed on the first task.
func (r *run) measure() (string, error) {
	if r.Quick {
		return "", skip("not asked for")
	}
	ref, err := r.reference(r.tasks[0])
	if err != nil {
		return "", err
	}
	e, err := r.open()
	if err != nil {
		return "", err
	}
	var resets, forks []time.Duration
	for range tries {
		began := time.Now()
		if _, err := r.reset(e, ref.task); err != nil {
			return "", err
		}
		resets = append(resets, time.Since(began))
	}
	began, middle := time.Now(), len(ref.points())/2
	at := ref.points()[middle]
	if err := r.follow("a copy", drawn, e, ref, 0, at); err != nil {
		return "", err
	}
	stepping := time.Since(began)
	for range tries {
		began := time.Now()
		if _, err := r.copy(e, ref, at); err != nil {
			return "", err
		}
		forks = append(forks, time.Since(began))
	}
	s := &Speed{Reset: ms(median(resets)), Fork: ms(median(forks)),
		Memory: float64(supervisor.Resident(os.Getpid())) / (1 << 20)}
	if stepping > 0 {
		s.Steps = float64(at) / stepping.Seconds()
	}
	r.report.Speed = s
	return fmt.Sprintf("%.0f steps/s, reset %.3g ms, fork %.3g ms, memory of its processes %.0f MiB", s.Steps, s.Reset,
		s.Fork, s.Memory), nil
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
