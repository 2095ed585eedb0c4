// Package sparse copies files whose zeros take no room on the disk.
package sparse

import (
	"bytes"
	"errors"
	"io"
	"os"
)

const pieceSize = 64 << 10

var zeros [pieceSize]byte

// Copy makes the file name of what r holds. Where there is nothing but zeros it leaves holes.
func Copy(name string, r io.Reader) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	piece := make([]byte, pieceSize)
	for end := int64(0); ; {
		n, err := io.ReadFull(r, piece)
		if !bytes.Equal(piece[:n], zeros[:n]) {
			if _, err := f.WriteAt(piece[:n], end); err != nil {
				return err
			}
		}
		end += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return f.Truncate(end)
		} else if err != nil {
			return err
		}
	}
}
