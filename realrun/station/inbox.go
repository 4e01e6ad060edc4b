package station

import (
	"sync"

	"flyball/engine"
)

// Inbox has the messages that have come and are not taken yet. Any goroutine may put one into it.
type Inbox struct {
	lock sync.Mutex
	all  []engine.Message
	came chan struct{}
}

// most is the number of messages that an inbox holds. One more is lost, as any may be: roles send again what matters.
const most = 4096

// NewInbox returns an empty inbox.
func NewInbox() *Inbox { return &Inbox{came: make(chan struct{}, 1)} }

// Put adds a message, unless there is no room. It does not block.
func (b *Inbox) Put(m engine.Message) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.all) < most {
		b.all = append(b.all, m)
	}
	select {
	case b.came <- struct{}{}:
	default:
	}
}

// Came returns where something comes from when messages have come.
func (b *Inbox) Came() <-chan struct{} { return b.came }

// Take returns the messages that have come since the last call, in their order.
func (b *Inbox) Take() []engine.Message {
	b.lock.Lock()
	defer b.lock.Unlock()
	all := b.all
	b.all = nil
	return all
}
