// Package batch is the language of Batchkeeper: the job, the state of a run,
// the names of its messages and every decision it takes. It exists so that the
// workflows, the activities, the bridge and the command line share one set of
// words. It knows neither Temporal nor the network, reads no clock and does no
// I/O: time is a parameter, and each decision is a function of its arguments.
//
// # Words
//
//	row        one line of the input JSONL: custom_id, method, url, body
//	batch      one job at the gateway, made from one input file
//	shard      a contiguous byte range of the input, small enough for one batch
//	round      one pass over the rows that still need an answer
//	unit       what one batch of a round carries: a shard, or what shards left over
//	run        one execution of BatchWorkflow, continue-as-new included
//	session    <workflow id>~<token>: what the run is called at the gateway
//	delivery   one webhook request about one event; a doorbell, never a truth
//	terminal   completed, failed, cancelled, expired: never left again
//	governor   hands out an account's capacity to all bulk runs that use it
//	lease      the governor's leave for one batch, until it is returned
//	outcome    how a run ended, for people and dashboards
//
// # The life of a run
//
//	inspecting ─▶ uploading ─▶ creating ─▶ tracking ─▶ collecting ─▶ done
//	    │             │           │  ▲         │
//	 rejected      cancelled      │  │         ▼
//	                              │  │     cancelling ─▶ (tracking's end)
//	                              ▼  │
//	                     ambiguous: look the batch up,
//	                     never post while one may exist
//
// Read on in job.go, status.go and state.go, then in workflows/batch.go.
package batch
