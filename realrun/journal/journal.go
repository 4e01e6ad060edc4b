// Package journal keeps the facts of a mailing on a disk. A Journal only grows: its records are numbered,
// have checksums, and are read up to the first one that a loss of power tore at the end of the last file.
// Anything else that is wrong with them is refused, with its file and record.
//
//	facts-00000001   what the first process wrote
//	facts-00000002   what the process that went on wrote
//
// Each process begins a file, whose number is the epoch of its records. It first makes what it read durable, in
// place of the file before it, so that nothing rests on what only the memory of the machine has. Before that it may
// rewrite the journal (Rewrite): a file that has record 1 begins the journal, and files before it do not count.
package journal

import (
	"errors"
	"fmt"
	"sync"

	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/vt"
)

// Entry is a fact with the role that wrote it, and when.
type Entry struct {
	At   vt.Time
	Role engine.Address
	Fact engine.Fact
}

// ID names a mailing: it is a digest of everything that decides who gets which message.
type ID [32]byte

// Journal is open for facts. Write and Sync may be called concurrently.
type Journal struct {
	file  durable.Growing
	epoch uint32

	mu      sync.Mutex
	size    int64 // of the file
	room    int64 // bytes that the file has room for
	last    uint64
	durable uint64
	err     error // the first one: nothing is written after it
	buffer  []byte
}

// chunk is by how much the room of a file grows.
const chunk = 1 << 20

// Write writes a record with some entries, and returns its number. The record survives the end of the process; it is
// durable after a Sync that returns its number or a later one.
func (j *Journal) Write(entries []Entry) (number uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return 0, j.err
	}
	record := appendRecord(j.buffer[:0], j.last+1, j.epoch, j.durable, entries)
	j.buffer = record
	if n, err := j.file.Write(record); err != nil {
		return 0, j.fail(err)
	} else if n < len(record) {
		return 0, j.fail(fmt.Errorf("wrote %d of %d bytes", n, len(record)))
	}
	j.size += int64(len(record))
	j.last++
	return j.last, nil
}

// Sync makes everything durable that was written before the call, and returns the number of the last durable record.
// After an error nothing is written any more: the disk may have dropped what it did not keep, and a later Sync
// would not notice.
func (j *Journal) Sync() (number uint64, err error) {
	j.mu.Lock()
	number, err = j.last, j.err
	j.mu.Unlock()
	if err != nil {
		return 0, err
	}
	err = j.file.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case err != nil:
		return 0, j.fail(err)
	case j.err != nil:
		return 0, j.err
	}
	j.durable = max(j.durable, number)
	return j.durable, nil
}

// Reserve makes sure that the disk has room for bytes more, so that what must be written about mail under way can be.
// It may fail, and succeed later: nothing is lost.
func (j *Journal) Reserve(bytes int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil || j.room >= j.size+bytes {
		return j.err
	}
	err := error(nil)
	for _, room := range []int64{j.size + bytes + chunk, j.size + bytes} {
		if err = j.file.Reserve(room); err == nil {
			j.room = room
			break
		}
	}
	return err
}

// Records returns the number of the last record.
func (j *Journal) Records() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Size returns the bytes of the file that has the last record, and how many records are written and not durable yet.
func (j *Journal) Size() (bytes int64, undurable uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size, j.last - j.durable
}

// Err returns the error after which nothing is written any more; nil if there was none.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Close closes the journal, and returns an error if not all of it is durable.
func (j *Journal) Close() error {
	_, err := j.Sync()
	return errors.Join(err, j.file.Close())
}

func (j *Journal) fail(err error) error {
	err = fmt.Errorf("journal %s: %w", fileName(j.epoch), err)
	j.err = err
	return err
}
