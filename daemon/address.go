package daemon

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Announcement says where the daemon that uses a data folder listens. Who was killed leaves it behind, so that it
// holds of the daemon at Address only where that one began at Started.
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

// announce tells the commands of this machine where the daemon is.
func announce(dir string, at net.Addr, started time.Time) error {
	address := at.String()
	if a, ok := at.(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		_, port, _ := net.SplitHostPort(address)
		address = net.JoinHostPort("localhost", port)
	}
	text, err := json.Marshal(Announcement{address, started})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, announced), append(text, '\n'), 0o644)
}

// withdraw takes the announcement back, while the folder is still the daemon's.
func withdraw(dir string) error {
	err := os.Remove(filepath.Join(dir, announced))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
