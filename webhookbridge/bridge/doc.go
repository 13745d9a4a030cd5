// Package bridge turns webhook deliveries into Temporal signals: it proves a
// delivery on its raw bytes, finds the run it is about and hands it over, once.
// It keeps no state, so that any number of replicas can run, and it is never
// the truth: a run that hears nothing polls.
//
// The port is open at once; until Temporal is connected every delivery is
// answered 503, which the senders retry.
//
// # Answers
//
// The gateway sends an event at most four times and treats every answer but a
// 2xx as a failure, so that a 2xx is given only once Temporal has the signal:
//
//	accepted, or a duplicate                            200 ok
//	the run is closed                                   200 ok
//	signed, but not a batch event, not one of the
//	types that a run acts on, or not a session of ours  200 ignored
//	signature, timestamp or key wrong or missing        401, the same for every cause
//	no such path                                        404
//	method other than POST                              405
//	body cannot be read to its end                      400, connection closed
//	media type or content encoding                      415
//	body above 256 KiB                                  413
//	headers above 16 KiB                                431
//	signed, but malformed, or a header contradicts it   400 + alert
//	no such run within 10 s                             503 + alert
//	Temporal unavailable, busy or slow for 20 s         503, Retry-After
//	Temporal refuses the credential                     503 + alert, not ready for 30 s
//	the run takes no more signals                       503 + alert
//	Temporal refuses the signal otherwise               503 + alert
//	the route has no signing secret                     503
//	overload, shutting down                             503, connection closed
//
// Never a 3xx, which would burn an attempt, never a 410, which would end the
// subscription. Bodies are constant and repeat nothing of the request. Paths
// are compared as sent: nothing is cleaned, nothing redirected.
//
// A proxy in front must refuse requests that carry both Content-Length and
// Transfer-Encoding.
package bridge
