package gatewaytest_test

import (
	"fmt"

	"batchkeeper/internal/gateway/gatewaytest"
)

// The first create call of a session happens, but its answer is lost; the batch then expires half done.
func ExampleServer_Script() {
	s, err := gatewaytest.New(gatewaytest.Options{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	s.Script(
		gatewaytest.Rule{
			Op: gatewaytest.OpCreate, SessionID: "nightly-1~run", From: 1, To: 1,
			Fault: gatewaytest.Fault{Kind: gatewaytest.FaultEffectDrop},
		},
		gatewaytest.Rule{
			Op: gatewaytest.OpCreate, SessionID: "nightly-1~run",
			Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "expired", Rows: 100},
		},
	)
	fmt.Println(len(s.BatchesOf("nightly-1~run")), "batches so far")
	// Output: 0 batches so far
}
