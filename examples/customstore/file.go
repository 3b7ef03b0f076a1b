package filestore

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opengovsg/latchkey/store"
)

// Config adjusts a [Store]. The zero value is ready for use.
type Config struct {
	// NoSync leaves it to the operating system when to write to the disk. After a power failure
	// keys that were revoked may then be good again. It is meant for tests.
	NoSync bool
}

// An entry is one write, and one line of the file. The line of a later write wins.
type entry struct {
	Put    []row    `json:",omitempty"`
	Delete []string `json:",omitempty"`
}

// A row is a record as JSON. Embedding the record takes in every field, also those of later
// releases. Its hashes hide those of the record, which refuse to be marshalled, and are written in
// base64.
type row struct {
	store.Record
	Hash, PriorHash []byte
}

func rowOf(rec store.Record) row { return row{rec, []byte(rec.Hash), []byte(rec.PriorHash)} }

// Open returns the store in the file at path, and makes the file if there is none. It fails if
// another Store has the file open, in this process or in any other, if the file is damaged, if it
// can't be written, or with [errors.ErrUnsupported] on systems without flock, such as Windows.
// Besides path it uses path+".tmp" and path+".lock". Call [Store.Close] when done.
func Open(path string, c Config) (*Store, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	s := &Store{path: path, noSync: c.NoSync, lock: lock, recs: make(map[string]store.Record)}
	if err = s.read(); err == nil {
		err = s.rewrite()
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("filestore: %w", err)
	}
	return s, nil
}

// Close closes the file. Every later call but Close fails.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), s.lock.Close())
	s.file = nil
	return err
}

// read applies the lines of the file in their order.
func (s *Store) read() error {
	text, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	number := 0
	for line := range bytes.Lines(text) {
		if number++; !bytes.HasSuffix(line, []byte("\n")) {
			break // the last line, of a write that was cut off
		}
		// A field that this program does not know would be gone from the file once it is rewritten.
		var e entry
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if d.Decode(&e) != nil || len(bytes.TrimSpace(line[d.InputOffset():])) > 0 {
			// Without the decoder's error, which may quote the line.
			return fmt.Errorf("%s: line %d is damaged, or of a later release", s.path, number)
		}
		s.apply(e)
	}
	return nil
}

// apply changes the records in memory. The caller holds s.mu.
func (s *Store) apply(e entry) {
	for _, r := range e.Put {
		rec := r.Record
		rec.Hash, rec.PriorHash = store.Hash(r.Hash), store.Hash(r.PriorHash)
		s.recs[rec.ID] = rec
	}
	for _, id := range e.Delete {
		delete(s.recs, id)
	}
}

// write adds a line to the file and then changes the records in memory. The caller holds s.mu.
func (s *Store) write(e entry) error {
	if len(e.Put)+len(e.Delete) == 0 {
		return nil
	}
	if s.failed != nil {
		return s.failed
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	if _, err = s.file.Write(append(line, '\n')); err == nil {
		err = s.sync(s.file)
	}
	if err != nil {
		s.failed = fmt.Errorf("filestore: not written, nor will anything be until the file is opened again: %w", err)
		return s.failed
	}
	s.apply(e)
	return nil
}

// rewrite puts a new file into the place of the old one, with what is kept and nothing else. A crash
// leaves the old file or the new one, whole.
func (s *Store) rewrite() (err error) {
	tmp := s.path + ".tmp"
	os.Remove(tmp) // what a crash may have left, which is of no use and may have another mode
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	w := bufio.NewWriter(f)
	lines := json.NewEncoder(w)
	for _, rec := range s.recs {
		if err := lines.Encode(entry{Put: []row{rowOf(rec)}}); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	// Before the new name points to it, or the name might outlive a crash that the content does not.
	if err := s.sync(f); err != nil {
		return err
	}
	if err := os.Rename(tmp, s.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := s.sync(dir); err != nil {
		return err
	}
	s.file = f
	return nil
}

func (s *Store) sync(f *os.File) error {
	if s.noSync {
		return nil
	}
	return f.Sync()
}
