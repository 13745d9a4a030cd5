// Package gatewaytest emulates the gateway's files, batches and webhooks, so that everything above the wire can be
// tried without a key, a network or a bill. It keeps to what the gateway really does, its oddities included, and adds
// three things that the gateway does not have: a clock that can run faster, a script of faults and a journal of every
// request and effect. No model runs behind it: each row's answer is computed from the row and says so.
package gatewaytest
