package bench_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// How fast a whole input is checked and cut, on one core: at least half as fast
// as sha256sum reads it and four times as fast as jq does is the goal.
func BenchmarkInspect(b *testing.B) {
	path := generate(b, inputMiB(b))
	info, err := os.Stat(path)
	require.NoError(b, err)
	for name, command := range map[string][]string{"sha256sum": {"sha256sum"}, "jq": {"jq", "-c", "."}} {
		b.Run("against_"+name, func(b *testing.B) {
			if _, err := exec.LookPath(command[0]); err != nil {
				b.Skip(command[0] + " is not installed: there is nothing to compare with")
			}
			var ours, theirs took
			var peak, rows int64
			for b.Loop() {
				theirs.add(other(b, path, command...))
				r := measure(b, "cut", path)
				ours.add(r.took)
				peak, rows = max(peak, r.PeakKiB), r.Rows
			}
			size := float64(info.Size()) / mib
			b.ReportMetric(theirs.wall.Seconds()/ours.wall.Seconds(), "times_"+name)
			b.ReportMetric(theirs.cpu.Seconds()/ours.cpu.Seconds(), "cpu_times_"+name)
			b.ReportMetric(size*float64(b.N)/ours.wall.Seconds(), "MiB/s")
			b.ReportMetric(size*float64(b.N)/theirs.wall.Seconds(), name+"_MiB/s")
			b.ReportMetric(float64(peak)/1024, "peak_MiB")
			b.ReportMetric(float64(rows), "rows")
		})
	}
}

// Peak memory must not depend on the size: that of an input of twice BENCH_MIB
// within 20 % of that of one of 100 MiB is the goal.
func BenchmarkInspectMemory(b *testing.B) {
	const small = 100
	peaks := map[int64]float64{}
	large := 2 * inputMiB(b)
	for b.Loop() {
		for _, size := range []int64{small, large} {
			path := generate(b, size)
			peaks[size] = max(peaks[size], float64(measure(b, "cut", path).PeakKiB)/1024)
			require.NoError(b, os.Remove(path))
		}
	}
	b.ReportMetric(peaks[small], "peak_MiB_of_100MiB")
	b.ReportMetric(peaks[large], "peak_MiB")
	b.ReportMetric(peaks[large]/peaks[small], "large/small")
}
