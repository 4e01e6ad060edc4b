package station

import (
	"sync"

	"flyball/engine"
)

// Local carries messages between the stations of one process. Its zero value has none.
type Local struct {
	Beyond Carrier // takes messages for roles that are elsewhere; nil: they are lost

	lock  sync.RWMutex
	roles map[engine.Address]func(engine.Message)
}

// Join has receive get the messages for an address from now on, in place of who got them before; nil: they go beyond.
// receive must not block.
func (l *Local) Join(a engine.Address, receive func(engine.Message)) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.roles == nil {
		l.roles = map[engine.Address]func(engine.Message){}
	}
	if l.roles[a] = receive; receive == nil {
		delete(l.roles, a)
	}
}

// Send gives a message to who has joined with its address, or beyond.
func (l *Local) Send(m engine.Message) {
	l.lock.RLock()
	receive := l.roles[m.To]
	l.lock.RUnlock()
	switch {
	case receive != nil:
		receive(m)
	case l.Beyond != nil:
		l.Beyond.Send(m)
	}
}
