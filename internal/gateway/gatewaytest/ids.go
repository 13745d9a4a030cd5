package gatewaytest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// crockford is the alphabet of the gateway's ids.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// idSource makes ids that repeat with the seed, so that a failing run can be repeated.
type idSource struct {
	mu    sync.Mutex
	seed  [sha256.Size]byte
	count uint64
}

// newIDSource takes a seed; zero means that every server has ids of its own.
func newIDSource(seed uint64) *idSource {
	s := &idSource{}
	if seed == 0 {
		_, _ = rand.Read(s.seed[:])
		return s
	}
	binary.BigEndian.PutUint64(s.seed[:], seed)
	return s
}

func (s *idSource) next() [sha256.Size]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	return sha256.Sum256(binary.BigEndian.AppendUint64(s.seed[:], s.count))
}

// ulid has the 26 characters of a ULID: 48 bits of time, then 80 bits.
func (s *idSource) ulid(now time.Time) string {
	random := s.next()
	raw := make([]byte, 0, 18)
	raw = binary.BigEndian.AppendUint64(raw, uint64(max(now.UnixMilli(), 0)))[2:]
	raw = append(raw, random[:10]...)
	// 128 bits fill 26 characters of 5 bits only with two zero bits in front, which base32 puts at the end.
	shifted := make([]byte, 17)
	for i, b := range raw {
		shifted[i] |= b >> 2
		shifted[i+1] |= b << 6
	}
	return crockford.EncodeToString(shifted)[:26]
}

func (s *idSource) hex(n int) string {
	random := s.next()
	return hex.EncodeToString(random[:])[:n]
}
