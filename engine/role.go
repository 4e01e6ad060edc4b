// Package engine has what the roles share: the messages that they send each
// other and what an Observer is told. The roles themselves stand below it, a
// package each.
package engine

import "flyball/internal/mail"

// Reserve is the message by which a sender asks for MTA processes and hands
// over a part of its list ([0033], [0040]).
type Reserve struct {
	From, To  mail.Recipient // the part is [From, To)
	Processes int            // MTA processes wanted
	Subset    int            // recipients that a process takes at a time ([0031])
	Priority  int            // of its processes, where one must go ([0070]): the lower goes first
}
