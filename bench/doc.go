// Package bench measures the streaming work on whole files against programs that
// everybody knows, as ratios within one run: figures of two machines cannot be
// compared, ratios can. Each measurement is a process of its own, so that its
// peak memory is its own too.
//
//	make bench                  # BENCH_MIB=1024; 5 GiB of temporary space
//	go test ./bench -run '^$' -bench Reconcile
//
// BENCH_MIB is the size of the generated input in MiB (256); the input is made in
// the temporary directory and removed again.
package bench
