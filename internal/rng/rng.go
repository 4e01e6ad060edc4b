// Package rng draws random numbers by name, not by order.
//
// Every draw is a pure function of (seed, replication, entity, try, purpose): the
// same attempt has the same draws independent of earlier draws, of the governor and
// of the number of workers. A new draw does not change others. The generator is
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", SC11). Any package may import it. It has no state and needs no lock.
package rng

// Purpose names what a block of draws is used for. Two different uses of the
// same entity must have different purposes; numbers are never reused.
type Purpose uint32

// Key is a family of draws: one seed and one replication.
type Key struct{ k0, k1 uint32 }

// Block is 128 random bits: four independent words.
type Block [4]uint32

// New returns the family of draws of one replication of a seed. Replication 0
// is the run that a plain seed names.
func New(seed, replication uint64) Key {
	k0, k1, _, _ := Key{uint32(seed), uint32(seed >> 32)}.Words(replication, 0, 0x464c5942) // "FLYB"
	return Key{k0, k1}
}

// Words returns the draws for one try of one entity: Philox4x32-10, ten rounds. Each turn of the loop
// has two of them: after a single one the words would have to change registers.
func (k Key) Words(entity uint64, try uint32, p Purpose) (w0, w1, w2, w3 uint32) {
	w0, w1, w2, w3 = uint32(entity), uint32(entity>>32), try, uint32(p)
	for range 5 {
		w0, w1, w2, w3 = k.round(w0, w1, w2, w3)
		k = k.next()
		w0, w1, w2, w3 = k.round(w0, w1, w2, w3)
		k = k.next()
	}
	return w0, w1, w2, w3
}

// round returns the words after one round: two 32x32 -> 64 bit products, by the multipliers of SC11
// table 2.
func (k Key) round(w0, w1, w2, w3 uint32) (v0, v1, v2, v3 uint32) {
	p0, p1 := uint64(w0)*0xD2511F53, uint64(w2)*0xCD9E8D57
	return uint32(p1>>32) ^ w1 ^ k.k0, uint32(p1), uint32(p0>>32) ^ w3 ^ k.k1, uint32(p0)
}

// next returns the key of the next round: Weyl steps by the golden ratio and sqrt(3)-1.
func (k Key) next() Key { return Key{k.k0 + 0x9E3779B9, k.k1 + 0xBB67AE85} }

// At returns the same words as Words, for access by index.
func (k Key) At(entity uint64, try uint32, p Purpose) Block {
	w0, w1, w2, w3 := k.Words(entity, try, p)
	return Block{w0, w1, w2, w3}
}

// Below maps a 32-bit word to an integer in [0, n) without division. The bias
// is at most n / 2^32.
func Below(word, n uint32) uint32 {
	return uint32(uint64(word) * uint64(n) >> 32)
}

// Threshold turns a probability into the word below which a draw is a hit:
// word < Threshold(p) has probability p, to 2^-32. p = 1 gives 2^32.
func Threshold(p float64) uint64 { return uint64(float64(p*(1<<32)) + 0.5) }
