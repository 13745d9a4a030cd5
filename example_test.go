package batchkeeper_test

import (
	"context"
	"fmt"

	"batchkeeper"
	"batchkeeper/batch"
)

// A run is started once, however often the program is: the second Start
// attaches to the run of the first.
func ExampleStart() {
	ctx := context.Background()
	job := batch.Job{Input: "file:///data/requests.jsonl", Model: "instant"}
	for range 2 {
		run, err := batchkeeper.Start(ctx, server, job,
			batchkeeper.WithID("nightly-1"), batchkeeper.WithTaskQueue("actors"))
		if err != nil {
			fmt.Println(err)
			return
		}
		result, err := run.Wait(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(run.ID(), "attached:", run.Attached(), result.Outcome, result.Results.Succeeded)
	}
	// Output:
	// nightly-1 attached: false completed 240
	// nightly-1 attached: true completed 240
}
