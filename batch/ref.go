package batch

// Ref points at an object in the store; payloads carry references, never the data.
type Ref struct {
	// Key is the object's key below the store's root.
	Key string `json:"key"`
	// Size is the object's length in bytes.
	Size int64 `json:"size"`
	// SHA256 is the lower-case hexadecimal digest of its bytes.
	SHA256 string `json:"sha256"`
}
