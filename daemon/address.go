package daemon

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Announcement says where the daemon that uses a data folder listens. Who was killed
// leaves it behind, so that it holds of the daemon at Address only where that one began at
// Started.
type Announcement struct {
	Address string    `json:"address"`
	Started time.Time `json:"started"` // as in [api.Info]
}

// announced is the file of a data folder that holds its announcement.
const announced = "address.json"

// Announced reads the announcement in a data folder.
func Announced(dir string) (a Announcement, err error) {
	text, err := os.ReadFile(filepath.Join(dir, announced))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// announce tells the commands of this machine where the daemon is. Without it they must
// be told, so that a failure is no reason not to serve.
func (d *Daemon) announce() {
	address := d.Addr().String()
	if a, ok := d.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		_, port, _ := net.SplitHostPort(address)
		address = net.JoinHostPort("localhost", port)
	}
	text, err := json.Marshal(Announcement{address, d.started})
	if err == nil {
		err = os.WriteFile(filepath.Join(d.config.DataDir(), announced), append(text, '\n'), 0o644)
	}
	if err != nil {
		d.log.Warn().Err(err).Msg("commands with --data must be told the address")
	}
}

// withdraw takes the announcement back, while the folder is still the daemon's.
func (d *Daemon) withdraw() {
	if err := os.Remove(filepath.Join(d.config.DataDir(), announced)); err != nil && !os.IsNotExist(err) {
		d.log.Warn().Err(err).Msg("the address stays in the data folder")
	}
}
