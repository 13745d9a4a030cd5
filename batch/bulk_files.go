package batch

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Files is where a bulk run keeps its files. The result is right below Prefix;
// what the run notes on the way is below work/, under its token, so that only
// the run itself finds it: neither another run with the same prefix, whose rows
// have the same names, nor one after it.
type Files struct {
	Prefix string `json:"prefix"`
	Token  string `json:"token"`
}

func (f Files) work(name ...string) string {
	return path.Join(append([]string{f.Prefix, "work", f.Token}, name...)...)
}

// Plan is where the plan of a round is.
func (f Files) Plan(round int) string { return f.work(fmt.Sprintf("r%d", round), "plan.jsonl") }

// Bad is where the list of quarantined lines is.
func (f Files) Bad() string { return f.work("invalid.jsonl") }

// FinalPlan is where the plan of the final files is.
func (f Files) FinalPlan() string { return f.work("final.jsonl") }

// Final is where what was published of a shard is recorded.
func (f Files) Final(shard int) string { return f.work("final", fmt.Sprintf("s%05d.json", shard)) }

// Unit is where the results of a unit's own batch go.
func (f Files) Unit(round, unit, try int) string {
	name := fmt.Sprintf("s%05d", unit)
	if try > 1 {
		name += fmt.Sprintf("-%d", try)
	}
	return f.work(fmt.Sprintf("r%d", round), name)
}

// Record is where it is recorded what the settling of a unit found.
func (f Files) Record(round, unit int) string { return f.Unit(round, unit, 1) + ".record.json" }

// Left is where the rows are that a unit left over.
func (f Files) Left(round, unit int) string { return f.Unit(round, unit, 1) + ".left.jsonl" }

// Rows is where a unit's rows are that are no clean range of the input.
func (f Files) Rows(round, unit int) string { return f.Unit(round, unit, 1) + ".rows.jsonl" }

// Manifest is the last file of the result.
func (f Files) Manifest() string { return path.Join(f.Prefix, FileManifest) }

// Part is a file of the result, by its name in the manifest.
func (f Files) Part(name string) string { return path.Join(f.Prefix, name) }

// PartName is the name of the final file of a shard, relative to the prefix.
func PartName(folder string, shard int) string {
	return path.Join(folder, fmt.Sprintf("%05d.jsonl", shard))
}

// PartNumber is the shard whose final file has a name; 0: it is none.
func PartNumber(name string) int {
	digits, isPart := strings.CutSuffix(path.Base(name), ".jsonl")
	n, err := strconv.Atoi(digits)
	if !isPart || err != nil || n < 1 || path.Base(name) != path.Base(PartName("", n)) {
		return 0
	}
	return n
}

// Folders of the final files of a bulk run.
const (
	FolderResults  = "results"
	FolderFailures = "failures"
)
