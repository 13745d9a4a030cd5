package jsonl

const (
	// maxCauses bounds how many different causes are counted.
	maxCauses = 32
	// OtherCauses counts the rows whose cause came after the first 32.
	OtherCauses = "other"
)

// Classes counts rows without an answer.
type Classes struct {
	RowError, Expired, Cancelled, Missing int64
}

// Total is the sum.
func (c Classes) Total() int64 { return c.RowError + c.Expired + c.Cancelled + c.Missing }

// add counts one more row; an unknown class is not counted.
func (c *Classes) add(class string) {
	switch class {
	case ClassRowError:
		c.RowError++
	case ClassExpired:
		c.Expired++
	case ClassCancelled:
		c.Cancelled++
	case ClassMissing:
		c.Missing++
	}
}

// knownClass tells whether a row without an answer may have this class.
func knownClass(class string) bool {
	var c Classes
	c.add(class)
	return c.Total() == 1
}

// classNamed is the class that a raw JSON string names; empty: none.
func classNamed(raw []byte) string {
	for _, class := range []string{ClassRowError, ClassExpired, ClassCancelled, ClassMissing} {
		if len(raw) == len(class)+2 && string(raw[1:len(raw)-1]) == class {
			return class
		}
	}
	return ""
}

// causes counts why rows failed. A provider that says something new about every
// row must not make a tally of any size.
type causes map[string]int64

func (c causes) add(cause string) {
	_, known := c[cause]
	if !known && len(c) >= maxCauses {
		cause = OtherCauses
	}
	c[cause]++
}
