package jsonl

import (
	"crypto/sha256"
	"fmt"
)

// digest128 stands for a custom_id in memory.
type digest128 [16]byte

func digestOf(id []byte) digest128 {
	full := sha256.Sum256(id)
	return digest128(full[:16])
}

// duplicateOf says that a line's custom_id was used before.
func duplicateOf(first, line int64) string {
	return fmt.Sprintf("duplicate custom_id: first used on line %d, again on line %d", first, line)
}

// claim keeps which line used a custom_id first. A line that is bad for another
// reason does not claim its own.
func claim(used map[digest128]int64, id []byte, line int64) string {
	key := digestOf(id)
	if first, taken := used[key]; taken {
		return duplicateOf(first, line)
	}
	used[key] = line
	return ""
}
