package gatewaytest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
)

// mutations change the lines of a file on its way out; every line comes without its end.
var mutations = map[string]func(lines *[][]byte, f Fault){
	"shuffle": func(lines *[][]byte, _ Fault) {
		source := rand.New(rand.NewPCG(uint64(len(*lines)), 1))
		source.Shuffle(len(*lines), func(i, j int) { (*lines)[i], (*lines)[j] = (*lines)[j], (*lines)[i] })
	},
	"duplicate_row": func(lines *[][]byte, f Fault) {
		*lines = append(*lines, (*lines)[:min(times(f), len(*lines))]...)
	},
	"unknown_row": func(lines *[][]byte, f Fault) {
		for n := range times(f) {
			*lines = append(*lines, fmt.Appendf(nil, `{"id":"batch_req_unknown_%d","custom_id":"nobody-asked-for-this-%d",`+
				`"response":{"status_code":200,"request_id":"req_emulator","body":{}},"error":null}`, n, n))
		}
	},
	"missing_row": func(lines *[][]byte, f Fault) { *lines = (*lines)[min(times(f), len(*lines)):] },
	"blank_lines": func(lines *[][]byte, _ Fault) {
		var spaced [][]byte
		for _, l := range *lines {
			spaced = append(spaced, nil, l, []byte("  "))
		}
		*lines = spaced
	},
	"huge_line": func(lines *[][]byte, f Fault) {
		if len(*lines) > 0 {
			filler := `{"filler":"` + strings.Repeat("x", int(f.Bytes)) + `",`
			(*lines)[0] = append([]byte(filler), bytes.TrimPrefix((*lines)[0], []byte("{"))...)
		}
	},
	"flip_byte": func(lines *[][]byte, _ Fault) {
		if len(*lines) > 0 {
			(*lines)[0] = append([]byte("?"), (*lines)[0][1:]...)
		}
	},
	"crlf": nil, "no_final_newline": nil, "cut_last_line": nil, // these are about the ends of lines
}

func times(f Fault) int { return max(f.Count, 1) }

// Mutations lists the values of the fault "mutate".
func Mutations() []string { return sortedNames(mutations) }

// mutate replaces the file's bytes with changed ones, in a file of its own. It holds all lines in memory: it is meant
// for test-sized files.
func (s *Server) mutate(f *file, fault Fault) error {
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n"))
	if change := mutations[fault.Value]; change != nil {
		change(&lines, fault)
	}
	end := "\n"
	if fault.Value == "crlf" {
		end = "\r\n"
	}
	changed := append(bytes.Join(lines, []byte(end)), end...)
	switch fault.Value {
	case "no_final_newline":
		changed = changed[:len(changed)-1]
	case "cut_last_line":
		changed = changed[:len(changed)-1-len(lines[len(lines)-1])/2]
	}
	f.path += "." + s.ids.hex(12)
	f.bytes, err = writeFile(f.path, func(w io.Writer) error {
		_, err := w.Write(changed)
		return err
	})
	return err
}
