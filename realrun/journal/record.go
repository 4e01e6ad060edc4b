package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A file begins with its head, and then has records:
//
//	head:   magic 16, version 2, epoch 4, number of the first record 8, mailing 32, CRC32C of these 4
//	record: length of the content 4, version 2, number 8, epoch 4, durable 8, CRC32C of the content 4, CRC32C of these
//	        4, then the content, which is entries
//
// durable is the number of the last record that was durable when the record was written. So a damaged record that is
// followed by one which relied on it is not torn.
const (
	magic      = "flyball facts 1\n"
	version    = 1
	headSize   = len(magic) + 2 + 4 + 8 + 32 + 4
	recordSize = 4 + 2 + 8 + 4 + 8 + 4 + 4
	most       = 64 << 20 // bytes of content
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var order = binary.BigEndian

func appendHead(b []byte, epoch uint32, first uint64, id ID) []byte {
	start := len(b)
	b = append(b, magic...)
	b = order.AppendUint16(b, version)
	b = order.AppendUint32(b, epoch)
	b = order.AppendUint64(b, first)
	b = append(b, id[:]...)
	return order.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func appendRecord(b []byte, number uint64, epoch uint32, durable uint64, entries []Entry) []byte {
	start := len(b)
	b = append(b, make([]byte, recordSize)...)
	for _, e := range entries {
		b = appendEntry(b, e)
	}
	head, content := b[start:start+recordSize], b[start+recordSize:]
	if len(content) > most {
		panic(fmt.Sprintf("journal: got a record of %d bytes, want at most %d", len(content), most))
	}
	order.PutUint32(head, uint32(len(content)))
	order.PutUint16(head[4:], version)
	order.PutUint64(head[6:], number)
	order.PutUint32(head[14:], epoch)
	order.PutUint64(head[18:], durable)
	order.PutUint32(head[26:], crc32.Checksum(content, castagnoli))
	order.PutUint32(head[30:], crc32.Checksum(head[:30], castagnoli))
	return b
}

// head is the head of a record.
type head struct {
	length  int
	version uint16
	number  uint64
	epoch   uint32
	durable uint64
	sum     uint32
}

// readHead reads the head of a record at the beginning of b. It reports whether it is whole and has its checksum.
func readHead(b []byte) (h head, ok bool) {
	if len(b) < recordSize || order.Uint32(b[30:]) != crc32.Checksum(b[:30], castagnoli) {
		return h, false
	}
	return head{length: int(order.Uint32(b)), version: order.Uint16(b[4:]), number: order.Uint64(b[6:]),
		epoch: order.Uint32(b[14:]), durable: order.Uint64(b[18:]), sum: order.Uint32(b[26:])}, true
}
